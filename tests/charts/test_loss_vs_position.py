"""The chart of loss against context position."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.text import Text
from synthetic_scores import add_scored_model
from synthetic_study import MODELS, SIZES, write_synthetic_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.chart_data import Band, Chart, Line
from hf_ctxscale.charts.loss_vs_position import loss_vs_position_chart
from hf_ctxscale.charts.matplotlib_chart import draw_chart
from hf_ctxscale.files import read_table
from hf_ctxscale.paper import FIGURE_7_RIGHT
from hf_ctxscale.study import Study


@pytest.fixture(scope="module")
def tables(study: Study) -> tuple[pa.Table, pa.Table]:
    return read_table(study.results_file("runs")), read_table(study.results_file("positions"))


@pytest.fixture(scope="module")
def chart(tables: tuple[pa.Table, pa.Table]) -> Chart:
    return loss_vs_position_chart(*tables, {})


def chart_of(study: Study, **options: Any) -> Chart:
    return loss_vs_position_chart(read_table(study.results_file("runs")), read_table(study.results_file("positions")), {}, **options)


def lines(chart: Chart) -> list[Line]:
    return [mark for mark in chart.panels[0].marks if isinstance(mark, Line) and (mark.width or mark.marker)]


def bands(chart: Chart) -> list[Band]:
    return [mark for mark in chart.panels[0].marks if isinstance(mark, Band)]


def labels(chart: Chart) -> dict[str, str]:
    return {mark.label: mark.colour for mark in chart.panels[0].marks if isinstance(mark, Line) and mark.label}


def test_the_axes_are_those_of_the_figure(chart: Chart) -> None:
    (panel,) = chart.panels
    assert (panel.x.log, panel.y.log) == (True, False)
    assert (panel.x.label, panel.y.label) == ("Token index in context", "Per-token test loss (nats)")
    assert (panel.x.low, panel.x.high) == (1, 256)


def test_each_model_is_a_line_through_its_bins_with_a_band(chart: Chart, tables: tuple[pa.Table, pa.Table]) -> None:
    rows = [row for row in tables[1].to_pylist() if row["run_id"] == "gpt2-2-222k-s0"]
    assert len(lines(chart)) == len(bands(chart)) == 12
    x = tuple(np.sqrt(row["position_from"] * row["position_to"]) for row in rows)
    (line,) = [line for line in lines(chart) if line.y == tuple(row["loss_nats"] for row in rows)]
    assert line.x == pytest.approx(x, rel=1e-12)
    (band,) = [band for band in bands(chart) if band.low == tuple(row["loss_low"] for row in rows)]
    assert (band.x, band.high) == (line.x, tuple(row["loss_high"] for row in rows))


def test_every_model_is_labelled_with_its_size_in_its_familys_colours(chart: Chart) -> None:
    found = labels(chart)
    assert len(found) == 12
    for text, colour in found.items():
        family = "gpt2" if "Transformer" in text else "lstm"
        assert colour in TABLE[family].colours, text
    assert [found[f"{size} Transformer"] for size in ("26K", "76K", "221K")] == list(TABLE["gpt2"].colours)


def test_matched_sizes_of_all_depths_share_a_colour(chart: Chart) -> None:
    found = labels(chart)
    assert len({found[f"225K LSTM, {depth}"] for depth in ("1 layer", "2 layers", "4 layers")}) == 1


def test_labels_neither_cover_each_other_nor_leave_the_picture(chart: Chart) -> None:
    (ax,) = draw_chart(chart).axes
    ax.figure.draw_without_rendering()
    # An annotation's own extent holds its leader too; the extent of its text is that of the class above.
    boxes = [Text.get_window_extent(text) for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(boxes) == 12
    for i, box in enumerate(boxes):
        assert box.x1 <= ax.figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_who_points_at_a_bin_reads_its_tokens_and_its_loss_with_its_interval(chart: Chart) -> None:
    (line,) = [line for line in lines(chart) if line.label == "26K LSTM, 1 layer"]
    assert line.hover[0] == "26K LSTM, 1 layer · token 1 · 5.200 nats [5.060, 5.340]"
    assert " · tokens " in line.hover[-1]


def test_bins_without_intervals_have_no_band(tmp_path: Path) -> None:
    chart = chart_of(write_synthetic_study(tmp_path, one_document=True))
    assert bands(chart) == []
    assert len(lines(chart)) == 12


def test_fitted_laws_are_thin_dashes_without_a_second_band(study: Study, tables: tuple[pa.Table, pa.Table]) -> None:
    fits = json.loads(study.fits_file.read_text())
    fits["loss_vs_position"][0]["converged"] = False
    chart = loss_vs_position_chart(*tables, fits)
    dashed = [line for line in lines(chart) if line.dash == "dashed"]
    laws = [fit for fit in fits["loss_vs_position"] if fit["converged"]]
    assert {line.y for line in dashed} == {tuple(point["loss_nats"] for point in law["curve"]) for law in laws}
    assert len(dashed) == len(bands(chart)) - 1 == 11
    assert "thin dashes: fitted" in chart.subtitle
    assert "thin dashes" not in loss_vs_position_chart(*tables, {}).subtitle


def test_where_labels_do_not_fit_all_lines_are_drawn_and_the_chart_says_which_are_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        monkeypatch.setitem(SIZES, f"{3**i}m", 10**6 * 3**i)
    models = {key: (*own, *[(own[-1][0] - 0.1 * i, 0.1) for i in range(4)]) for key, own in MODELS.items()}
    study = write_synthetic_study(tmp_path, models=models)
    chart = chart_of(study)
    assert len(lines(chart)) == 28
    assert len(labels(chart)) == len(bands(chart)) == 8
    assert {"26K Transformer", "27M Transformer", "27M LSTM, 4 layers"} <= set(labels(chart))
    assert "labelled: smallest and largest model of each series" in chart.subtitle
    fits = json.loads(study.fits_file.read_text())
    fitted = loss_vs_position_chart(read_table(study.results_file("runs")), read_table(study.results_file("positions")), fits)
    assert len([line for line in lines(fitted) if line.dash == "dashed"]) == 8


def test_the_label_of_several_seeds_stands_between_their_lines(tmp_path: Path) -> None:
    chart = chart_of(write_synthetic_study(tmp_path, seeds=(0, 1, 2), models={("gpt2", 2): ((3.6, 0.0),)}))
    assert len(lines(chart)) == 3
    (label,) = [mark for mark in chart.panels[0].marks if isinstance(mark, Line) and mark.label]
    assert label.y[0] == pytest.approx(np.mean([line.y[-1] for line in lines(chart)]))
    assert label.x[0] == lines(chart)[0].x[-1]


def test_scored_models_beside_the_runs_are_dashed_dark_grey_and_labelled(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)})
    score_id = add_scored_model(study, "org/small", loss=3.0, ablation=False)
    (dashed,) = [line for line in lines(chart_of(study, references={score_id: "best possible"})) if line.dash == "dashed"]
    assert (dashed.label, dashed.colour) == ("best possible", "#404040")
    positions = read_table(study.results_file("positions")).to_pylist()
    assert dashed.y == tuple(row["loss_nats"] for row in positions if row["score_id"] == score_id)
    assert len(lines(chart_of(study))) == 1


def test_the_papers_models_stand_beside_the_studys_labelled_as_approximate(study: Study) -> None:
    chart = chart_of(study, paper=True)
    theirs = [line for line in lines(chart) if (line.label or "").startswith("paper")]
    assert [line.y for line in theirs] == [tuple(loss for _, loss in points) for points in FIGURE_7_RIGHT.values()]
    assert chart.panels[0].x.high == 1000
    assert "(approximate)" in chart.panels[0].key[0].name
