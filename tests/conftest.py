"""What all tests share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Leave the other processor cores to the tests beside."""
    torch.set_num_threads(1)


@pytest.fixture
def two_threads(one_thread):
    """Take another core for one test."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)
