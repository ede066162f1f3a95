"""List the problems."""

from sae_surgery import problems as parts


def problems() -> None:
    """Print of each problem its name, what is known of its truth, and its variables."""
    for name in parts.available():
        kind = parts.kind(name)
        known = ", ".join(kind.knows) or "nothing but observations"
        print(f"{name:14}knows {known}")
        for variable, default in kind.variables().items():
            print(f"    {variable:20}{default}")
