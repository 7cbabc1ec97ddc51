"""Charts as matplotlib figures: what is drawn is what the chart holds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Mark, Panel, Rule, Words
from hf_ctxscale.charts.matplotlib_chart import draw_chart

X = (1e3, 1e4, 1e5)
LINE = Line(X, (3.0, 2.5, 2.2), "#8e0b20", label="LSTM", marker="o")


def panel(*marks: Mark, **options: object) -> Panel:
    return Panel(**{"x": Axis("Parameters", log=True, counts=True), "y": Axis("Loss (nats)"), "marks": marks} | options)


def chart(*panels: Panel, **options: object) -> Chart:
    return Chart(**{"name": "made_up", "title": "A title", "subtitle": "one line\nanother", "panels": panels} | options)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def boxes_of_texts(figure: Figure) -> list[tuple[str, object]]:
    figure.draw_without_rendering()
    return [(text.get_text(), Text.get_window_extent(text)) for ax in figure.axes for text in ax.texts if text.get_text()]


def test_a_line_is_drawn_through_its_points_in_its_colour_dashes_and_shape() -> None:
    (ax,) = draw_chart(chart(panel(replace(LINE, dash="dashed", width=2.5, opacity=0.4)))).axes
    (drawn,) = ax.lines
    assert np.array_equal(drawn.get_xydata(), list(zip(LINE.x, LINE.y, strict=True)))
    assert (to_hex(drawn.get_color()), drawn.get_marker(), drawn.get_linewidth(), drawn.get_alpha()) == ("#8e0b20", "o", 2.5, 0.4)
    assert drawn.is_dashed()


def test_points_alone_have_no_line_and_open_ones_are_white() -> None:
    (ax,) = draw_chart(chart(panel(replace(LINE, width=0), replace(LINE, filled=False)))).axes
    alone, joined = ax.lines
    assert (alone.get_linestyle(), joined.get_linestyle()) == ("None", "-")
    assert (to_hex(alone.get_markerfacecolor()), to_hex(joined.get_markerfacecolor())) == ("#8e0b20", "#ffffff")


def test_bands_are_areas_and_bars_are_lines_upright_or_lying() -> None:
    band, upright = Band(X, (2.9, 2.4, 2.1), (3.1, 2.6, 2.3), "#8e0b20"), Bars((1e4,), (2.2,), (2.8,), "#08417c")
    (ax,) = draw_chart(chart(panel(band, upright, replace(upright, x=(2.4,), low=(1e3,), high=(1e5,), horizontal=True)))).axes
    (area,) = [collection for collection in ax.collections if isinstance(collection, PolyCollection)]
    corners = set(map(tuple, area.get_paths()[0].vertices))
    assert {(1e3, 2.9), (1e5, 2.1), (1e4, 2.6)} <= corners
    bars = [collection.get_segments()[0].tolist() for collection in ax.collections if isinstance(collection, LineCollection)]
    assert bars == [[[1e4, 2.2], [1e4, 2.8]], [[1e3, 2.4], [1e5, 2.4]]]


def test_rules_and_words_stand_where_they_say() -> None:
    figure = draw_chart(chart(panel(LINE, Rule(2.5, "half"), Rule(3e4, "here", vertical=True), Words("a $ sign", 2.3))))
    lying, upright = figure.axes[0].lines[1:]
    assert (set(lying.get_ydata()), set(upright.get_xdata())) == ({2.5}, {3e4})
    assert {"half", "here", "a $ sign"} <= set(texts(figure))


def test_every_labelled_line_has_its_label_in_the_right_margin_and_inside_the_picture() -> None:
    lines = [replace(LINE, y=(3.0 + i / 100, 2.5, 2.2 + i / 500), label=f"model number {i}") for i in range(30)]
    figure = draw_chart(chart(panel(*lines)))
    found = [(text, box) for text, box in boxes_of_texts(figure) if text.startswith("model")]
    assert len(found) == 30
    for i, (_, box) in enumerate(found):
        assert figure.axes[0].bbox.x1 < box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for _, other in found[:i])


def test_a_label_without_a_line_is_a_label_alone() -> None:
    (ax,) = draw_chart(chart(panel(LINE, Line((1e5,), (5.0,), "#8e0b20", label="mean", width=0)))).axes
    assert len(ax.lines) == 1
    assert ax.get_ylim()[1] > 5.0


@pytest.mark.parametrize("style", ["modern", "figure7"])
def test_limits_that_are_given_hold_and_others_follow_the_marks(style: str) -> None:
    (ax,) = draw_chart(chart(panel(LINE, x=Axis("N", log=True, low=500, high=2e6), y=Axis("Loss", low=2.4)), style=style)).axes
    assert ax.get_xlim() == (500, 2e6)
    assert ax.get_ylim()[0] == 2.4
    assert 3.0 < ax.get_ylim()[1] < 3.2


def tick_texts(figure: Figure, *, which: str = "x") -> list[str]:
    figure.draw_without_rendering()
    axis = getattr(figure.axes[0], f"{which}axis")
    return [label.get_text() for label in axis.get_ticklabels()]


def test_counts_are_written_short_and_the_papers_form_has_powers_of_ten() -> None:
    assert tick_texts(draw_chart(chart(panel(LINE)))) == ["1K", "3K", "10K", "30K", "100K"]
    assert tick_texts(draw_chart(chart(panel(LINE), style="figure7"))) == ["10³", "10⁴", "10⁵"]


def test_categories_are_written_at_whole_numbers() -> None:
    marks = (Line((2.0, 2.5), (0, 1), "#8e0b20", width=0, marker="o"),)
    figure = draw_chart(chart(panel(*marks, x=Axis("Loss"), y=Axis("", categories=("one", "two")))))
    assert tick_texts(figure, which="y") == ["one", "two"]
    assert figure.axes[0].get_ylim() == (-0.5, 1.5)


def test_panels_above_each_other_share_equal_axes_and_their_edges() -> None:
    figure = draw_chart(chart(panel(LINE, title="upper"), panel(LINE, height=0.5, title="lower")))
    figure.draw_without_rendering()
    upper, lower = figure.axes
    assert (upper.get_xlabel(), lower.get_xlabel()) == ("", "Parameters")
    assert (upper.bbox.x0, upper.bbox.x1) == pytest.approx((lower.bbox.x0, lower.bbox.x1))
    assert upper.bbox.height == pytest.approx(2 * lower.bbox.height)
    assert {"upper", "lower"} <= set(texts(figure))


def test_panels_beside_each_other_are_as_high_as_each_other() -> None:
    figure = draw_chart(chart(panel(LINE, title="left"), panel(LINE, title="right"), beside=True))
    left, right = figure.axes
    figure.draw_without_rendering()
    assert left.bbox.x1 < right.bbox.x0
    assert (left.bbox.y0, left.bbox.y1) == pytest.approx((right.bbox.y0, right.bbox.y1))
    assert left.get_xlabel() == right.get_xlabel() == "Parameters"


def overlapping(boxes: Sequence[tuple[str, object]]) -> list[tuple[str, str]]:
    return [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if box.overlaps(other)]


def test_title_subtitle_and_panel_titles_do_not_cover_each_other() -> None:
    figure = draw_chart(chart(panel(LINE, title="upper"), panel(LINE, title="lower")))
    boxes = boxes_of_texts(figure)
    boxes += [("title", ax._left_title.get_window_extent()) for ax in figure.axes if ax.get_title(loc="left")]
    assert len(boxes) == 6
    assert overlapping(boxes) == []


def test_the_papers_form_has_a_title_for_each_panel_no_grid_and_a_named_legend() -> None:
    key = (Line((), (), "#8e0b20", name="400K"),)
    figure = draw_chart(
        chart(panel(LINE, title="Left"), panel(LINE, title="Right", key=key, key_title="Parameters:"), beside=True, style="figure7")
    )
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("Left", "Right")
    assert not any(line.get_visible() for line in left.get_xgridlines())
    assert right.get_legend().get_title().get_text() == "Parameters:"
    assert figure.get_supxlabel() == "one line\nanother"


def test_a_legend_stands_above_the_curves() -> None:
    key = tuple(Line((), (), "#595959", name=f"entry {i}") for i in range(4))
    figure = draw_chart(chart(panel(LINE, key=key)))
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert ax.get_legend().get_window_extent().y0 > ax.transData.transform((1e3, 3.0))[1]


def test_a_panel_without_marks_says_so_without_numbers_at_its_axes() -> None:
    figure = draw_chart(chart(panel(empty="nothing yet")))
    assert "nothing yet" in texts(figure)
    assert tick_texts(figure) == []


def test_axes_that_are_given_are_drawn_on() -> None:
    given = Figure().add_subplot()
    assert draw_chart(chart(panel(LINE)), axes=[given]) is given.figure
    assert len(given.lines) == 1
