"""Engines that learn dictionaries, encoders and codes from observations; all stacked over seeds."""
