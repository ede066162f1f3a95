"""Sparse coding against sparse autoencoders on known causes, one part exchanged at a time."""

import os
import sys

from sae_surgery.bytecode import check_by_content

__version__ = "0.2.0"

check_by_content(__path__[0])

# HDF5's locks fail on some file systems, and shut out readers of a file that a notebook has open.
# Nothing here needs them: writers have names of their own, and readers compare digests. HDF5 asks
# once, when it is loaded.
if "netCDF4" not in sys.modules:
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
