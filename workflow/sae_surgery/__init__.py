"""Sparse coding against sparse autoencoders on known causes, one part exchanged at a time."""

from sae_surgery.bytecode import check_by_content

__version__ = "0.1.0"

check_by_content(__path__[0])
