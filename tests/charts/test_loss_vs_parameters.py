"""The chart of loss against size."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from synthetic_study import write_synthetic_study

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.charts.loss_vs_parameters import draw_loss_vs_parameters
from hf_ctxscale.files import read_table
from hf_ctxscale.study import RUNS_SCHEMA, Study


@pytest.fixture(scope="module")
def runs(study: Study) -> pa.Table:
    return read_table(study.results_file("runs"))


@pytest.fixture(scope="module")
def fits(study: Study) -> dict[str, Any]:
    return json.loads(study.fits_file.read_text())


@pytest.fixture(scope="module")
def ax(runs: pa.Table, fits: dict[str, Any]) -> Axes:
    return draw_loss_vs_parameters(runs, fits)


def line(ax: Axes, label: str) -> Line2D:
    return next(line for line in ax.lines if line.get_label() == label)


def dashed(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def bars(ax: Axes) -> list[np.ndarray]:
    return [path for collection in ax.collections if isinstance(collection, LineCollection) for path in collection.get_segments()]


def test_the_axes_are_those_of_the_figure(ax: Axes) -> None:
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Parameters (non-embedding)", "Test loss (nats per token)")


def test_lines_go_through_the_losses_of_the_table(ax: Axes, runs: pa.Table) -> None:
    for architecture, depth, label in (("lstm", 1, "LSTM, 1 layer"), ("lstm", 4, "LSTM, 4 layers"), ("gpt2", 2, "Transformer, 2 layers")):
        own = sorted(
            (r["body_params"], r["loss_nats"]) for r in runs.to_pylist() if (r["architecture"], r["num_layers"]) == (architecture, depth)
        )
        assert np.array_equal(line(ax, label).get_xydata(), own)


def test_colours_come_from_the_table_darker_with_depth(ax: Axes) -> None:
    drawn = [to_hex(line(ax, f"LSTM, {depth}").get_color()) for depth in ("1 layer", "2 layers", "4 layers")]
    assert drawn == list(TABLE["lstm"].colours)
    assert to_hex(line(ax, "Transformer, 2 layers").get_color()) == TABLE["gpt2"].colours[-1]


def test_every_point_has_its_interval(ax: Axes, runs: pa.Table) -> None:
    wanted = sorted((r["body_params"], r["loss_nats_low"], r["loss_nats_high"]) for r in runs.to_pylist())
    assert sorted((bar[0][0], bar[0][1], bar[1][1]) for bar in bars(ax)) == wanted


def test_a_point_without_an_interval_is_drawn_without_a_bar(runs: pa.Table) -> None:
    rows = [row | {"loss_nats_low": None, "loss_nats_high": None} for row in runs.to_pylist()]
    ax = draw_loss_vs_parameters(pa.Table.from_pylist(rows, schema=RUNS_SCHEMA), {})
    assert bars(ax) == []
    assert len(line(ax, "LSTM, 1 layer").get_xdata()) == 3


def test_only_converged_fits_are_drawn_through_what_they_predict(runs: pa.Table, fits: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(fits))
    for fit in changed["loss_vs_parameters"]:
        fit["converged"] = fit["series"] == "gpt2-2"
    (drawn,) = dashed(draw_loss_vs_parameters(runs, changed))
    transformer = next(fit for fit in changed["loss_vs_parameters"] if fit["series"] == "gpt2-2")
    assert np.array_equal(drawn.get_xydata(), sorted((point["x"], point["predicted"]) for point in transformer["points"]))


def test_a_law_through_two_points_is_not_drawn(runs: pa.Table, fits: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(fits))
    for fit in changed["loss_vs_parameters"]:
        fit["points"] = fit["points"][:2]
    assert dashed(draw_loss_vs_parameters(runs, changed)) == []


def test_dashes_are_explained_where_there_are_any(ax: Axes, runs: pa.Table) -> None:
    assert any("dashed: fitted power law" in text.get_text() for text in ax.texts)
    without = draw_loss_vs_parameters(runs, {})
    assert dashed(without) == []
    assert not any("dashed" in text.get_text() for text in without.texts)


def test_one_size_alone_still_has_an_axis_with_ticks(runs: pa.Table) -> None:
    rows = [row for row in runs.to_pylist() if "26k" in row["run_id"]]
    ax = draw_loss_vs_parameters(pa.Table.from_pylist(rows, schema=RUNS_SCHEMA), {})
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 2


def test_the_line_of_several_seeds_goes_through_their_mean_and_each_is_a_point(tmp_path: Any) -> None:
    study = write_synthetic_study(tmp_path, seeds=(0, 1, 2), models={("gpt2", 2): ((3.6, 0.0), (3.4, 0.0), (2.9, 0.1))})
    ax = draw_loss_vs_parameters(read_table(study.results_file("runs")), {})
    assert line(ax, "Transformer, 2 layers").get_ydata() == pytest.approx([3.61, 3.41, 2.91])
    (points,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert len(points.get_xdata()) == 9


def test_axes_that_are_given_are_drawn_on(runs: pa.Table) -> None:
    given = Figure().add_subplot()
    assert draw_loss_vs_parameters(runs, {}, ax=given) is given
