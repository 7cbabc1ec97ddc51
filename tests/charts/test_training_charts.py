"""The charts of a moment of training and of the gap over training."""

from pathlib import Path

import pyarrow as pa
import pytest

from hf_ctxscale.analysis.training_curves import TrainingCurves, context_gap, load_training_curves, losses_by_position
from hf_ctxscale.charts.chart_data import Band, Bars, Line, Rule
from hf_ctxscale.charts.gap_in_training import gap_in_training_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.plotly_chart import plotly_figure
from hf_ctxscale.charts.position_in_training import position_in_training_chart
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study
from tests.made_up_training import STEPS, TOKENS_PER_STEP, write_training_curves

RUN_IDS = ("lstm-1-222k-s0", "gpt2-2-222k-s0")


@pytest.fixture
def curves(tmp_path: Path) -> dict[str, TrainingCurves]:
    found = {}
    for run_id, gaps in zip(RUN_IDS, ((0.0, 0.0, 0.0), (0.0, 0.1, 0.3)), strict=True):
        write_training_curves(tmp_path / run_id, gaps=gaps)
        own = load_training_curves(tmp_path / run_id)
        assert own is not None
        found[run_id] = own
    return found


@pytest.fixture
def runs(study: Study) -> pa.Table:
    return read_table(study.results_file("runs"))


def test_a_moment_is_drawn_solid_with_its_band_and_the_end_dashed(runs: pa.Table, curves: dict[str, TrainingCurves]) -> None:
    now, ends = ({run_id: losses_by_position(own, own.moments[place]) for run_id, own in curves.items()} for place in (0, -1))
    chart = position_in_training_chart(runs, now, ends, tokens=STEPS[0] * TOKENS_PER_STEP, limits=(2.0, 5.0))
    (panel,) = chart.panels
    assert chart.title == "Loss by position after 10K training tokens"
    assert "95 % intervals over 30 validation documents" in chart.subtitle
    assert (panel.y.low, panel.y.high, panel.x.log) == (2.0, 5.0, True)
    lines = [mark for mark in panel.marks if isinstance(mark, Line)]
    for drawn, dash in ((now, "solid"), (ends, "dashed")):
        expected = {tuple(loss.value for _, loss in drawn[run_id]) for run_id in RUN_IDS}
        assert {line.y for line in lines if line.dash == dash} == expected
    bands = [mark for mark in panel.marks if isinstance(mark, Band)]
    assert {band.low for band in bands} == {tuple(loss.low for _, loss in now[run_id]) for run_id in RUN_IDS}


def test_at_the_end_of_training_no_line_stands_twice(runs: pa.Table, curves: dict[str, TrainingCurves]) -> None:
    ends = {run_id: losses_by_position(own, own.moments[-1]) for run_id, own in curves.items()}
    chart = position_in_training_chart(runs, ends, ends, tokens=STEPS[-1] * TOKENS_PER_STEP, limits=(2.0, 5.0))
    assert [mark.dash for mark in chart.panels[0].marks if isinstance(mark, Line)] == ["solid", "solid"]


def test_a_model_that_had_not_been_validated_by_then_is_not_drawn(runs: pa.Table, curves: dict[str, TrainingCurves]) -> None:
    chart = position_in_training_chart(runs, {}, {}, tokens=1, limits=(2.0, 5.0))
    (ax,) = draw_chart(chart).axes
    assert "none of these models had been validated by then" in [text.get_text() for text in ax.texts]


def gaps_of(own: TrainingCurves) -> list:
    return [(moment.tokens, context_gap(own, moment)) for moment in own.moments]


def test_the_gap_is_drawn_over_tokens_with_its_interval_and_a_rule_at_zero(runs: pa.Table, curves: dict[str, TrainingCurves]) -> None:
    gaps = {run_id: gaps_of(own) for run_id, own in curves.items()}
    chart = gap_in_training_chart(runs, gaps, context_tokens=256)
    (panel,) = chart.panels
    assert "loss at positions 17–32 minus 129–256" in chart.subtitle
    assert (panel.x.label, panel.x.log, panel.y.label) == ("Training tokens", True, "Early minus late loss (nats)")
    assert [mark.at for mark in panel.marks if isinstance(mark, Rule)] == [0.0]
    lines = [mark for mark in panel.marks if isinstance(mark, Line)]
    assert {(line.x, line.y) for line in lines} == {
        (tuple(at for at, _ in own), tuple(gap.value for _, gap in own)) for own in gaps.values()
    }
    assert {band.high for band in panel.marks if isinstance(band, Band)} == {tuple(gap.high for _, gap in own) for own in gaps.values()}
    draw_chart(chart)
    plotly_figure(chart)


def test_seeds_of_one_model_have_bars_since_their_bands_would_cover_each_other(runs: pa.Table, curves: dict[str, TrainingCurves]) -> None:
    rows = runs.to_pylist()
    again = next(row for row in rows if row["run_id"] == RUN_IDS[0]) | {"run_id": "another-seed", "seed": 1}
    table = pa.Table.from_pylist([*rows, again], schema=runs.schema)
    gaps = {run_id: gaps_of(curves[RUN_IDS[0]]) for run_id in (RUN_IDS[0], "another-seed")}
    marks = gap_in_training_chart(table, gaps, context_tokens=256).panels[0].marks
    assert not any(isinstance(mark, Band) for mark in marks)
    assert sum(isinstance(mark, Bars) for mark in marks) == 2
