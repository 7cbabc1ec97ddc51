"""A metric loaded as a user loads it, with evaluate's caches in a temporary folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.study import UserError

CONTEXT_TOKENS = 256
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


@pytest.fixture(scope="session")
def metric_folder() -> Path:
    return METRIC_FOLDER


@pytest.fixture
def losses() -> np.ndarray:
    """40 blocks with a loss that falls with position."""
    random = np.random.default_rng(0)
    return 2.0 + 3.0 * np.arange(1, CONTEXT_TOKENS + 1) ** -0.5 + random.exponential(0.5, size=(40, CONTEXT_TOKENS))


@pytest.fixture
def ids() -> list[str]:
    return [f"doc-{block % 7}" for block in range(40)]


@pytest.fixture
def refusal(metric: Any) -> Callable[..., str]:
    """The sentence with which add_batch refuses what it is given, having added nothing."""

    def sentence(**given: Any) -> str:
        with pytest.raises(UserError) as caught:
            metric.add_batch(**given)
        assert len(metric) == 0
        return str(caught.value)

    return sentence
