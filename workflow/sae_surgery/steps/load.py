"""Read a trained SAE, check that it was read rightly, and encode rows of activations by it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sae_surgery import loaders
from sae_surgery.examination._codes import explained, spread
from sae_surgery.examination._encoding import Encoder
from sae_surgery.files.readings import Reading, write_reading
from sae_surgery.files.rows import COUNTED_STREAM, HELD_OUT, LEARN, chosen, read_rows
from sae_surgery.files.store import Origin
from sae_surgery.loaders import check as checking
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems._matrices import open_matrix
