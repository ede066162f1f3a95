"""The file contract: what the steps hand to each other, checked when written and read."""
