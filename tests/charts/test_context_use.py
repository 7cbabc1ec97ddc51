"""The chart of what models do with their context."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text
from synthetic_scores import CUTS, add_scored_model, write_ablated_study, write_scored_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.context_use import draw_context_use
from hf_ctxscale.charts.reach_bars import reach_words
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = write_scored_study(tmp_path_factory.mktemp("scored"))
    add_scored_model(study, "org/open", loss=2.6, reach=150, censored=True)
    add_scored_model(study, "org/uncut", loss=2.9, ablation=False)
    return study


def draw(study: Study, *models: str, ablation: bool = True) -> Axes:
    ids = [f"org--{model}-score" for model in models]
    labels = {score_id: score_id.split("-")[2] for score_id in ids}
    cuts = read_table(study.results_file("ablation")) if ablation else None
    return draw_context_use(
        read_table(study.results_file("runs")), read_table(study.results_file("positions")), cuts, score_ids=ids, labels=labels
    )


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_each_model_has_a_solid_curve_by_position_and_a_dashed_one_by_cut(study: Study) -> None:
    ax = draw(study, "small", "large")
    cuts = [row for row in read_table(study.results_file("ablation")).to_pylist() if row["score_id"] == "org--large-score"]
    (dashed,) = [line for line in ax.lines if list(line.get_ydata()) == [row["loss_nats"] for row in cuts]]
    assert tuple(dashed.get_xdata()) == CUTS
    assert dashed.is_dashed()
    assert to_hex(dashed.get_markerfacecolor()) == "#ffffff"
    bins = [row for row in read_table(study.results_file("positions")).to_pylist() if row["score_id"] == "org--large-score"]
    wanted = [(np.sqrt(row["position_from"] * row["position_to"]), row["loss_nats"]) for row in bins]
    (solid,) = [line for line in ax.lines if len(line.get_xdata()) == len(bins) and np.allclose(line.get_xydata(), wanted)]
    assert not solid.is_dashed()
    assert solid.get_color() == dashed.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["by position in the window", "same targets, context cut to k"]


def test_intervals_are_bands_of_positions_and_bars_of_cuts(study: Study) -> None:
    ax = draw(study, "small")
    assert len([collection for collection in ax.collections if isinstance(collection, PolyCollection)]) == 1
    bars = [tuple(map(tuple, c.get_segments()[0])) for c in ax.collections if isinstance(c, LineCollection)]
    cuts = [row for row in read_table(study.results_file("ablation")).to_pylist() if row["score_id"] == "org--small-score"]
    assert bars == [((row["context_tokens"], row["loss_low"]), (row["context_tokens"], row["loss_high"])) for row in cuts]


def test_the_effective_context_is_a_bar_with_its_numbers_under_the_curves(study: Study) -> None:
    ax = draw(study, "large")
    (bar,) = [line for line in ax.lines if list(line.get_xdata()) == [30.0, 102.0]]
    (value,) = [line for line in ax.lines if list(line.get_xdata()) == [60.0]]
    ax.figure.draw_without_rendering()
    lowest = min(line.get_window_extent().y0 for line in ax.lines if len(line.get_xdata()) > 2)
    assert bar.get_window_extent().y1 < lowest
    assert bar.get_ydata()[0] == value.get_ydata()[0]
    assert "60 tokens [30, 102]" in texts(ax)


def test_a_model_that_still_gains_at_the_whole_context_has_an_arrow_and_at_least(study: Study) -> None:
    ax = draw(study, "open")
    assert "at least 256 tokens [75, 256 or more]" in texts(ax)
    arrows = [text for text in ax.texts if text.get_text() == "" and text.arrow_patch is not None]
    assert len(arrows) == 1
    assert [text for text in draw(study, "small").texts if text.get_text() == ""] == []


def test_a_model_without_an_ablation_has_its_curve_alone(study: Study) -> None:
    for ax in (draw(study, "uncut"), draw(study, "small", ablation=False)):
        assert len(ax.lines) == 1
        assert ax.get_legend() is None
        assert ax.get_xlim() == (1, 256)
        assert any("\nbands: 95 % intervals over 89 documents" in text for text in texts(ax))


def test_one_model_is_named_under_the_title_and_several_at_their_lines(study: Study) -> None:
    assert texts(draw(study, "uncut"))[0].startswith("uncut\n")
    assert len(texts(draw(study, "uncut"))) == 1
    assert {"small", "uncut"} <= set(texts(draw(study, "small", "uncut")))


def test_nothing_covers_anything_else(study: Study) -> None:
    ax = draw(study, "small", "large", "open", "uncut")
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts if text.get_text()]
    assert len(boxes) == 1 + 4 + 1 + 3  # subtitle, labels, heading and rows of the bars
    for i, box in enumerate(boxes):
        assert box.x1 <= ax.figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_losses_have_no_ticks_beside_the_bars(study: Study) -> None:
    ax = draw(study, "small")
    lowest = min(
        row["loss_low"] for row in read_table(study.results_file("positions")).to_pylist() if row["score_id"] == "org--small-score"
    )
    assert min(ax.get_yticks()) > lowest - 0.3 > ax.get_ylim()[0]


def test_families_keep_their_colours_and_no_other_model_takes_them(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path)
    other = add_scored_model(study, "org/small", loss=2.5)
    ids = ["lstm-1-222k-s0-score", "gpt2-2-222k-s0-score", other]
    tables = [read_table(study.results_file(name)) for name in ("runs", "positions", "ablation")]
    ax = draw_context_use(*tables, score_ids=ids)
    colours = {text.get_text(): to_hex(text.arrow_patch.get_edgecolor()) for text in ax.texts if text.get_text() in ids}
    assert colours[ids[0]] == TABLE["lstm"].colours[-1]
    assert colours[ids[1]] == TABLE["gpt2"].colours[-1]
    assert colours[other] not in {colour for family in TABLE.values() for colour in family.colours}


def test_no_model_is_said_so(study: Study) -> None:
    assert "no finished run to draw" in texts(draw(study))


@pytest.mark.parametrize(
    ("numbers", "censored", "words"),
    [
        ((60.4, 30.0, 102.0), False, "60 tokens [30, 102]"),
        ((2.5, 1.0, 4.0), False, "2.5 tokens [1, 4]"),
        ((700.0, 256.0, 1024.0), False, "700 tokens [256, 1,024 or more]"),
        ((1024.0, 512.0, 1024.0), True, "at least 1,024 tokens [512, 1,024 or more]"),
        ((60.0, None, None), False, "60 tokens"),
    ],
)
def test_an_effective_context_in_words_says_which_of_its_ends_are_not_known(
    numbers: tuple[float, float | None, float | None], censored: bool, words: str
) -> None:
    assert reach_words(*numbers, context_tokens=1024, censored=censored) == words


def test_where_the_ablation_has_fewer_documents_the_chart_says_how_many_are_behind_each(study: Study) -> None:
    cuts = read_table(study.results_file("ablation"))
    fewer = cuts.set_column(cuts.column_names.index("num_documents"), "num_documents", pa.array([61] * len(cuts), pa.int64()))
    tables = (read_table(study.results_file(name)) for name in ("runs", "positions"))
    ax = draw_context_use(*tables, fewer, score_ids=["org--small-score"])
    assert any("95 % intervals: bands over 89 documents, bars over 61" in text for text in texts(ax))
