"""A metric loaded as a user loads it, with evaluate's caches in a temporary folder."""

from pathlib import Path
from typing import Any

import pytest

METRIC_FOLDER = Path(__file__).parents[2] / "hf_ctxscale" / "metrics" / "per_position_loss"


@pytest.fixture(scope="session")
def evaluate_offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The evaluate library, with nothing of it under the home folder and no way to the network."""
    import evaluate

    cache = tmp_path_factory.mktemp("huggingface")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", cache / "metrics")
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", cache / "modules")
        patch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
        yield evaluate


@pytest.fixture
def metric(evaluate_offline: Any) -> Any:
    return evaluate_offline.load(str(METRIC_FOLDER))
