"""Records the losses of the tiny runs and the environment they were seen in: `python tests/training/record_golden.py`."""

import json
import sys
import tempfile
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden_losses.json"


class Recorder:
    """Collects what the tiny runs gave."""

    def __init__(self) -> None:
        self.losses: dict[str, dict[str, float]] = {}

    @pytest.fixture
    def recorder(self) -> "Recorder":
        return self


def test_record(recorder, planned, tiny_settings, tiny_tokens):
    from hf_ctxscale.study import Study
    from hf_ctxscale.training.train_run import package_versions, train_run

    with tempfile.TemporaryDirectory() as folder:
        for record in planned.values():
            done = train_run(record, study=Study(Path(folder)), settings=tiny_settings, tokens=tiny_tokens)
            recorder.losses[record.architecture] = {
                "train_loss_nats": done.train_loss_nats,
                "validation_loss_nats": done.validation_loss_nats,
            }
    # Another processor sums in another order; over 150 steps that stays far below this.
    golden = {"tolerance": 0.002, "environment": package_versions(), "losses": recorder.losses}
    GOLDEN.write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"], plugins=[Recorder()]))
