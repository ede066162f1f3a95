"""Laws that synthetic problems are composed of: supports, magnitudes, dictionaries, noise."""
