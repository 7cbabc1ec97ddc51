"""The chart of validation loss during training."""

import numpy as np
from matplotlib.axes import Axes

from hf_ctxscale.charts.loss_vs_tokens import draw_loss_vs_tokens
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study


def draw(study: Study, run_ids: list[str]) -> Axes:
    histories = {run_id: read_table(study.history_file(run_id)) for run_id in run_ids}
    return draw_loss_vs_tokens(read_table(study.results_file("runs")), histories)


def test_each_line_holds_the_validation_losses_of_its_history(study: Study) -> None:
    ax = draw(study, ["lstm-1-26k-s0", "gpt2-2-222k-s0"])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Training tokens", "Validation loss (nats per token)")
    drawn = {tuple(map(tuple, line.get_xydata())) for line in ax.lines}
    for run_id in ("lstm-1-26k-s0", "gpt2-2-222k-s0"):
        history = read_table(study.history_file(run_id))
        assert tuple(zip(history["tokens"].to_pylist(), history["validation_loss_nats"].to_pylist(), strict=True)) in drawn


def test_steps_without_a_validation_loss_are_left_out(study: Study) -> None:
    history = read_table(study.history_file("lstm-1-26k-s0"))
    losses = history["validation_loss_nats"].to_pylist()
    losses[2] = None
    history = history.set_column(history.schema.get_field_index("validation_loss_nats"), "validation_loss_nats", [losses])
    ax = draw_loss_vs_tokens(read_table(study.results_file("runs")), {"lstm-1-26k-s0": history})
    (line,) = ax.lines
    assert len(line.get_xdata()) == len(losses) - 1
    assert np.isfinite(line.get_ydata()).all()


def test_without_histories_the_chart_says_so(study: Study) -> None:
    ax = draw(study, [])
    assert "no finished run to draw" in [text.get_text() for text in ax.texts]
