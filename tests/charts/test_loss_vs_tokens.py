"""The chart of validation loss during training."""

import numpy as np

from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.loss_vs_tokens import loss_vs_tokens_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study


def chart_of(study: Study, run_ids: list[str]) -> Chart:
    histories = {run_id: read_table(study.history_file(run_id)) for run_id in run_ids}
    return loss_vs_tokens_chart(read_table(study.results_file("runs")), histories)


def test_each_line_holds_the_validation_losses_of_its_history(study: Study) -> None:
    (panel,) = chart_of(study, ["lstm-1-26k-s0", "gpt2-2-222k-s0"]).panels
    assert (panel.x.log, panel.y.log) == (True, False)
    assert (panel.x.label, panel.y.label) == ("Training tokens", "Validation loss (nats per token)")
    drawn = {(mark.x, mark.y) for mark in panel.marks}
    for run_id in ("lstm-1-26k-s0", "gpt2-2-222k-s0"):
        history = read_table(study.history_file(run_id))
        assert (tuple(history["tokens"].to_pylist()), tuple(history["validation_loss_nats"].to_pylist())) in drawn


def test_steps_without_a_validation_loss_are_left_out(study: Study) -> None:
    history = read_table(study.history_file("lstm-1-26k-s0"))
    losses = history["validation_loss_nats"].to_pylist()
    losses[2] = None
    history = history.set_column(history.schema.get_field_index("validation_loss_nats"), "validation_loss_nats", [losses])
    chart = loss_vs_tokens_chart(read_table(study.results_file("runs")), {"lstm-1-26k-s0": history})
    (line,) = chart.panels[0].marks
    assert len(line.x) == len(losses) - 1
    assert np.isfinite(line.y).all()


def test_without_histories_the_chart_says_so(study: Study) -> None:
    (ax,) = draw_chart(chart_of(study, [])).axes
    assert "no finished run to draw" in [text.get_text() for text in ax.texts]
