"""`python -m sae_surgery` is the command `sae-surgery`."""

from sae_surgery.cli import main

if __name__ == "__main__":
    main()
