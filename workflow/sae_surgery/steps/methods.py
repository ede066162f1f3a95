"""List the methods."""

from sae_surgery import methods as parts


def methods() -> None:
    """Print name, family and title of each method."""
    for name in parts.available():
        family, title = parts.trait(name, "family"), parts.trait(name, "title")
        print(f"{name:20}{family:16}{title}")
