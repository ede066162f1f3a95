"""What the contract tests share."""

import pytest
from bench import Bench


@pytest.fixture(scope="package")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("contract"))
