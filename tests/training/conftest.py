"""A planned run of every architecture of the table."""

import pytest

from hf_ctxscale.config import parse_settings
from hf_ctxscale.study import RunRecord
from hf_ctxscale.sweep.plan import plan_runs
from tests.conftest import tiny_config


@pytest.fixture
def planned(text_folder, tiny_tokens) -> dict[str, RunRecord]:
    config = tiny_config(text_folder)
    config["families"].append({"architecture": "lstm_residual", "num_layers": 2, "learning_rate": 2e-2})
    records = plan_runs(
        parse_settings(config, source="tiny.yaml"),
        vocab_size=tiny_tokens.vocab_size,
        tokens_fingerprint=tiny_tokens.record.fingerprint,
        precision="float32",
    )
    return {record.architecture: record for record in records}
