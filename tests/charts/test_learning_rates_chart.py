"""The chart of learning rates that were tried."""

import pyarrow as pa
import pytest

from hf_ctxscale.charts.learning_rates import learning_rates_chart
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table


@pytest.fixture
def run(study) -> dict:
    return next(row for row in read_table(study.results_file("runs")).to_pylist() if row["run_id"] == "lstm-1-26k-s0")


def trial(run: dict, rate: float, loss: float | None, **changes) -> dict:
    return run | {"run_id": f"lr{rate}-{changes}", "learning_rate": rate, "validation_loss_nats": loss} | changes


def chart_of(*rows):
    return learning_rates_chart(pa.Table.from_pylist(list(rows), schema=RUNS_SCHEMA))


def test_every_rate_of_a_model_is_a_point_of_its_line(run):
    chart = chart_of(trial(run, 0.01, 3.4), trial(run, 0.001, 3.6), trial(run, 0.1, 3.5))
    line, _ = chart.panels[0].marks
    assert (line.x, line.y) == ((0.001, 0.01, 0.1), (3.6, 3.4, 3.5))
    assert line.label == "26K LSTM"


def test_the_lowest_loss_has_a_full_marker(run):
    line, best = chart_of(trial(run, 0.01, 3.4), trial(run, 0.001, 3.6)).panels[0].marks
    assert not line.filled
    assert best.filled
    assert (best.x, best.y) == ((0.01,), (3.4,))


def test_a_trial_that_was_not_scored_is_drawn(run):
    line, _ = chart_of(trial(run, 0.01, 3.4), trial(run, 0.001, 3.6, loss_nats=None, score_id=None)).panels[0].marks
    assert line.x == (0.001, 0.01)


def test_a_trial_without_a_loss_is_counted_as_failed(run):
    chart = chart_of(trial(run, 0.01, 3.4), trial(run, 0.001, 3.6), trial(run, 1.0, None, state="failed", loss_nats=None))
    assert chart.panels[0].marks[0].x == (0.001, 0.01)
    assert "not drawn: 1 failed run" in chart.subtitle


def test_a_run_with_two_scores_is_one_point(run):
    line, _ = chart_of(trial(run, 0.01, 3.4), trial(run, 0.01, 3.4) | {"score_id": "other"}, trial(run, 0.001, 3.6)).panels[0].marks
    assert line.x == (0.001, 0.01)


def test_budgets_and_seeds_are_lines_of_their_own(run):
    rows = [trial(run, rate, 3.4 + rate, **own) for rate in (0.01, 0.001) for own in ({}, {"seed": 1}, {"train_tokens": 12_000_000})]
    lines = [mark for mark in chart_of(*rows).panels[0].marks if mark.width]
    assert [line.x for line in lines] == [(0.001, 0.01)] * 3


def test_without_two_rates_of_one_model_there_is_no_chart(run):
    assert chart_of(trial(run, 0.01, 3.4), trial(run, 0.001, 3.6, body_params=76_000)) is None
