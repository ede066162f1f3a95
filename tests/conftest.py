"""What all tests share."""

import pytest
import torch

from browser import browser


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


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Return a running browser; where it cannot be had, tests are left out, but never in CI."""
    with browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running
