"""Dictionaries of the decoder's size that are learned on the same rows."""
