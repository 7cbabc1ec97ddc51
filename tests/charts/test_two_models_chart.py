"""The chart of two models by position with their difference."""

import numpy as np
import pyarrow as pa
import pytest

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.paired_differences import DifferenceCurve
from hf_ctxscale.charts.chart_data import Band, Line, Rule
from hf_ctxscale.charts.loss_vs_position import bins_by_score
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.two_models import Named, two_models_chart
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study

BINS = ((1, 1), (2, 4), (5, 256))


@pytest.fixture
def models(study: Study) -> tuple[Named, Named]:
    rows = {row["run_id"]: row for row in read_table(study.results_file("runs")).to_pylist()}
    return (rows["lstm-1-222k-s0"], "the LSTM"), (rows["gpt2-2-222k-s0"], "the <b>Transformer</b>")


@pytest.fixture
def positions(study: Study) -> pa.Table:
    return read_table(study.results_file("positions"))


def difference_of(values_RW: np.ndarray) -> DifferenceCurve:
    return DifferenceCurve(BINS, simultaneous_band(values_RW))


def test_losses_stand_above_and_their_difference_with_its_band_below(models: tuple[Named, Named], positions: pa.Table) -> None:
    difference = difference_of(np.random.default_rng(0).normal(0.2, 0.01, (31, 3)))
    chart = two_models_chart(*models, positions, difference)
    losses, below = chart.panels
    assert losses.x == below.x
    bins = bins_by_score(positions)
    drawn = {line.name: line.y for line in losses.marks if isinstance(line, Line)}
    assert drawn == {name: tuple(row["loss_nats"] for row in bins[model["score_id"]]) for model, name in models}
    (line,) = (mark for mark in below.marks if isinstance(mark, Line))
    (band,) = (mark for mark in below.marks if isinstance(mark, Band))
    assert line.y == tuple(difference.band.value_W)
    assert (band.low, band.high) == (tuple(difference.band.low_W), tuple(difference.band.high_W))
    assert [mark.at for mark in below.marks if isinstance(mark, Rule)] == [0.0]
    assert "for all positions at once, paired by document" in chart.subtitle
    draw_chart(chart)


def test_without_a_difference_the_losses_stand_alone(models: tuple[Named, Named], positions: pa.Table) -> None:
    chart = two_models_chart(*models, positions, None)
    assert len(chart.panels) == 1
    assert "band of the difference" not in chart.subtitle


def test_of_one_document_the_difference_has_no_band(models: tuple[Named, Named], positions: pa.Table) -> None:
    chart = two_models_chart(*models, positions, difference_of(np.full((2, 3), 0.1)))
    assert not any(isinstance(mark, Band) for mark in chart.panels[1].marks)
    assert "band of the difference" not in chart.subtitle


def test_two_models_of_one_family_have_two_shades(models: tuple[Named, Named], positions: pa.Table) -> None:
    first, _ = models
    chart = two_models_chart(first, (first[0], "another seed"), positions, None)
    assert len({line.colour for line in chart.panels[0].marks if isinstance(line, Line)}) == 2
