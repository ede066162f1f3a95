"""What all tests share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tests run side by side, each on a thread of its own."""
    torch.set_num_threads(1)
