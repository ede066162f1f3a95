"""Sparse coding against sparse autoencoders on known causes, one part exchanged at a time."""

__version__ = "0.1.0"
