"""The chart of loss against context position."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text
from synthetic_scores import add_scored_model
from synthetic_study import MODELS, SIZES, write_synthetic_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.loss_vs_position import draw_loss_vs_position
from hf_ctxscale.files import read_table
from hf_ctxscale.study import Study


@pytest.fixture(scope="module")
def tables(study: Study) -> tuple[pa.Table, pa.Table]:
    return read_table(study.results_file("runs")), read_table(study.results_file("positions"))


@pytest.fixture(scope="module")
def ax(tables: tuple[pa.Table, pa.Table]) -> Axes:
    return draw_loss_vs_position(*tables)


def bands(ax: Axes) -> list[PolyCollection]:
    return [collection for collection in ax.collections if isinstance(collection, PolyCollection)]


def labels(ax: Axes) -> dict[str, str]:
    return {text.get_text(): to_hex(text.arrow_patch.get_edgecolor()) for text in ax.texts if getattr(text, "arrow_patch", None)}


def test_the_axes_are_those_of_the_figure(ax: Axes) -> None:
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Token index in context", "Per-token test loss (nats)")
    assert ax.get_xlim() == (1, 256)


def test_each_model_is_a_line_through_its_bins_with_a_band(ax: Axes, tables: tuple[pa.Table, pa.Table]) -> None:
    rows = [row for row in tables[1].to_pylist() if row["run_id"] == "gpt2-2-222k-s0"]
    wanted = np.array([(np.sqrt(row["position_from"] * row["position_to"]), row["loss_nats"]) for row in rows])
    assert len(ax.lines) == len(bands(ax)) == 12
    assert any(np.allclose(line.get_xydata(), wanted, rtol=1e-12, atol=0) for line in ax.lines)
    edges = {(row["loss_low"], row["loss_high"]) for row in rows}
    assert any(
        edges <= {(low, high) for low in path[:, 1] for high in path[:, 1]} for path in (band.get_paths()[0].vertices for band in bands(ax))
    )


def test_every_model_is_labelled_with_its_size_in_its_familys_colours(ax: Axes) -> None:
    found = labels(ax)
    assert len(found) == 12
    for text, colour in found.items():
        family = "gpt2" if "Transformer" in text else "lstm"
        assert colour in TABLE[family].colours, text
    assert [found[f"{size} Transformer"] for size in ("26K", "76K", "221K")] == list(TABLE["gpt2"].colours)


def test_matched_sizes_of_all_depths_share_a_colour(ax: Axes) -> None:
    found = labels(ax)
    assert len({found[f"225K LSTM, {depth}"] for depth in ("1 layer", "2 layers", "4 layers")}) == 1


def test_labels_neither_cover_each_other_nor_leave_the_picture(ax: Axes) -> None:
    ax.figure.draw_without_rendering()
    # An annotation's own extent holds its leader too; the extent of its text is that of the class above.
    boxes = [Text.get_window_extent(text) for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(boxes) == 12
    for i, box in enumerate(boxes):
        assert box.x1 <= ax.figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_bins_without_intervals_have_no_band(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, one_document=True)
    ax = draw_loss_vs_position(read_table(study.results_file("runs")), read_table(study.results_file("positions")))
    assert bands(ax) == []
    assert len(ax.lines) == 12


def test_where_labels_do_not_fit_all_lines_are_drawn_and_the_chart_says_which_are_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        monkeypatch.setitem(SIZES, f"{3**i}m", 10**6 * 3**i)
    models = {key: (*own, *[(own[-1][0] - 0.1 * i, 0.1) for i in range(4)]) for key, own in MODELS.items()}
    study = write_synthetic_study(tmp_path, models=models)
    ax = draw_loss_vs_position(read_table(study.results_file("runs")), read_table(study.results_file("positions")))
    assert len(ax.lines) == 28
    assert len(labels(ax)) == len(bands(ax)) == 8
    assert {"26K Transformer", "27M Transformer", "27M LSTM, 4 layers"} <= set(labels(ax))
    assert any("labelled: smallest and largest model of each series" in text.get_text() for text in ax.texts)


def test_scored_models_beside_the_runs_are_dashed_dark_grey_and_labelled(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)})
    score_id = add_scored_model(study, "org/small", loss=3.0, ablation=False)
    tables = [read_table(study.results_file(name)) for name in ("runs", "positions")]
    ax = draw_loss_vs_position(*tables, references={score_id: "best possible"})
    (dashed,) = [line for line in ax.lines if line.is_dashed()]
    assert labels(ax)["best possible"] == dashed.get_color() == "#404040"
    assert list(dashed.get_ydata()) == [row["loss_nats"] for row in tables[1].to_pylist() if row["score_id"] == score_id]
    assert len(draw_loss_vs_position(*tables).lines) == 1
