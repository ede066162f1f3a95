"""The configuration, checked and expanded, and what its jobs ask for and will cost."""
