"""A synthetic study, written once: no test here changes it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from synthetic_study import write_synthetic_study

from hf_ctxscale.study import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """12 runs: LSTMs of 1, 2 and 4 layers and Transformers, three sizes each."""
    return write_synthetic_study(tmp_path_factory.mktemp("study"))
