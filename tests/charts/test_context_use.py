"""The chart of what models do with their context."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from synthetic_scores import CUTS, add_scored_model, write_ablated_study, write_scored_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Band, Bars, Chart, Line, Words
from hf_ctxscale.charts.context_use import context_use_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.charts.reach_bars import reach_words
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = write_scored_study(tmp_path_factory.mktemp("scored"))
    add_scored_model(study, "org/open", loss=2.6, reach=150, censored=True)
    add_scored_model(study, "org/uncut", loss=2.9, ablation=False)
    return study


def chart_of(study: Study, *models: str, ablation: bool = True) -> Chart:
    ids = [f"org--{model}-score" for model in models]
    labels = {score_id: score_id.split("-")[2] for score_id in ids}
    cuts = read_table(study.results_file("ablation")) if ablation else None
    return context_use_chart(
        read_table(study.results_file("runs")), read_table(study.results_file("positions")), cuts, score_ids=ids, labels=labels
    )


def drawn(chart: Chart) -> list[Axes]:
    figure = draw_chart(chart)
    figure.draw_without_rendering()
    return figure.axes


def marks(chart: Chart, kind: type, *, panel: int = 0) -> list:
    return [mark for mark in chart.panels[panel].marks if isinstance(mark, kind)]


def words(chart: Chart) -> list[str]:
    return [mark.text for mark in marks(chart, Words, panel=1)]


def rows_of(study: Study, table: str, model: str) -> list[dict]:
    return [row for row in read_table(study.results_file(table)).to_pylist() if row["score_id"] == f"org--{model}-score"]


def test_each_model_has_a_solid_curve_by_position_and_a_dashed_one_by_cut(study: Study) -> None:
    chart = chart_of(study, "small", "large")
    cuts, bins = rows_of(study, "ablation", "large"), rows_of(study, "positions", "large")
    (dashed,) = [line for line in marks(chart, Line) if line.y == tuple(row["loss_nats"] for row in cuts)]
    assert (dashed.x, dashed.dash, dashed.filled) == (CUTS, "dashed", False)
    (solid,) = [line for line in marks(chart, Line) if line.y == tuple(row["loss_nats"] for row in bins)]
    assert solid.x == pytest.approx([np.sqrt(row["position_from"] * row["position_to"]) for row in bins])
    assert (solid.dash, solid.colour) == ("solid", dashed.colour)
    legend = drawn(chart)[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["by position in the window", "same targets, context cut to k"]


def test_intervals_are_bands_of_positions_and_bars_of_cuts(study: Study) -> None:
    chart = chart_of(study, "small")
    assert len(marks(chart, Band)) == 1
    (bars,) = marks(chart, Bars)
    cuts = rows_of(study, "ablation", "small")
    assert list(zip(bars.x, bars.low, bars.high, strict=True)) == [(r["context_tokens"], r["loss_low"], r["loss_high"]) for r in cuts]


def test_the_effective_context_is_a_bar_with_its_numbers_under_the_curves(study: Study) -> None:
    chart = chart_of(study, "large")
    (bar,), (value,) = marks(chart, Bars, panel=1), marks(chart, Line, panel=1)
    assert (bar.low, bar.high, value.x) == ((30.0,), (102.0,), (60.0,))
    assert bar.horizontal
    assert bar.x == value.y
    assert words(chart) == ["60 tokens [30, 102]"]
    curves, strip = drawn(chart)
    assert strip.bbox.y1 < curves.bbox.y0
    assert strip.get_xlim() == curves.get_xlim()
    assert (strip.bbox.x0, strip.bbox.x1) == (curves.bbox.x0, curves.bbox.x1)


def test_a_model_that_still_gains_at_the_whole_context_has_an_arrow_and_at_least(study: Study) -> None:
    chart = chart_of(study, "open")
    assert words(chart) == ["at least 256 tokens [75, 256 or more]"]
    assert [line.x for line in marks(chart, Line, panel=1) if line.marker == ">"] == [(chart.panels[0].x.high, 256), (256.0,)]
    assert [line.marker for line in marks(chart_of(study, "small"), Line, panel=1)] == ["o"]


def test_a_model_without_an_ablation_has_its_curve_alone(study: Study) -> None:
    for chart in (chart_of(study, "uncut"), chart_of(study, "small", ablation=False)):
        (panel,) = chart.panels
        assert len(marks(chart, Line)) == 1
        assert panel.key == ()
        assert (panel.x.low, panel.x.high) == (1, 256)
        assert "\nbands: 95 % intervals over 89 documents" in chart.subtitle


def test_one_model_is_named_under_the_title_and_several_at_their_lines(study: Study) -> None:
    alone = chart_of(study, "uncut")
    assert alone.subtitle.startswith("uncut\n")
    assert [line.label for line in marks(alone, Line)] == [None]
    assert {line.label for line in marks(chart_of(study, "small", "uncut"), Line)} == {"small", "uncut", None}


def test_nothing_covers_anything_else(study: Study) -> None:
    axes = drawn(chart_of(study, "small", "large", "open", "uncut"))
    boxes = [Text.get_window_extent(text) for ax in axes for text in ax.texts if text.get_text()]
    assert len(boxes) == 1 + 4 + 1 + 3  # subtitle, labels, heading and rows of the bars
    for i, box in enumerate(boxes):
        assert box.x1 <= axes[0].figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_bars_have_no_height_on_the_axis_of_losses(study: Study) -> None:
    _, strip = drawn(chart_of(study, "small"))
    assert list(strip.get_yticks()) == []


def test_families_keep_their_colours_and_no_other_model_takes_them(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path)
    other = add_scored_model(study, "org/small", loss=2.5)
    ids = ["lstm-1-222k-s0-score", "gpt2-2-222k-s0-score", other]
    tables = [read_table(study.results_file(name)) for name in ("runs", "positions", "ablation")]
    colours = {line.label: line.colour for line in marks(context_use_chart(*tables, score_ids=ids), Line)}
    assert colours[ids[0]] == TABLE["lstm"].colours[-1]
    assert colours[ids[1]] == TABLE["gpt2"].colours[-1]
    assert colours[other] not in {colour for family in TABLE.values() for colour in family.colours}


def test_no_model_is_said_so(study: Study) -> None:
    (ax,) = drawn(chart_of(study))
    assert "no finished run to draw" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("numbers", "censored", "said"),
    [
        ((60.4, 30.0, 102.0), False, "60 tokens [30, 102]"),
        ((2.5, 1.0, 4.0), False, "2.5 tokens [1, 4]"),
        ((700.0, 256.0, 1024.0), False, "700 tokens [256, 1,024 or more]"),
        ((1024.0, 512.0, 1024.0), True, "at least 1,024 tokens [512, 1,024 or more]"),
        ((60.0, None, None), False, "60 tokens"),
    ],
)
def test_an_effective_context_in_words_says_which_of_its_ends_are_not_known(
    numbers: tuple[float, float | None, float | None], censored: bool, said: str
) -> None:
    assert reach_words(*numbers, context_tokens=1024, censored=censored) == said


def test_where_the_ablation_has_fewer_documents_the_chart_says_how_many_are_behind_each(study: Study) -> None:
    cuts = read_table(study.results_file("ablation"))
    fewer = cuts.set_column(cuts.column_names.index("num_documents"), "num_documents", pa.array([61] * len(cuts), pa.int64()))
    tables = (read_table(study.results_file(name)) for name in ("runs", "positions"))
    chart = context_use_chart(*tables, fewer, score_ids=["org--small-score"])
    assert "95 % intervals: bands over 89 documents, bars over 61" in chart.subtitle
