"""View: what a reader chose to see of both charts of the figure; chosen_charts draws it from the study's tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mode
from typing import Any, Literal

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Chart
from hf_ctxscale.charts.loss_vs_compute import loss_vs_flops_chart, loss_vs_seconds_chart, loss_vs_total_parameters_chart
from hf_ctxscale.charts.loss_vs_parameters import loss_vs_parameters_chart
from hf_ctxscale.charts.loss_vs_position import loss_vs_position_chart
from hf_ctxscale.charts.series import SAME_SIZE, Row, in_table_order
from hf_ctxscale.charts.shown import NATS, LossUnit, Shown, bits_per_byte_of
from hf_ctxscale.charts.size_marks import Measure
from hf_ctxscale.study import size_label

Unit = Literal["nats", "bits_per_byte"]


@dataclass(frozen=True)
class View:
    """Both charts as a reader chose them; of what can be chosen several at a time, None stands for all.

    Attributes:
        x: what the loss is set against on the chart of sizes.
        unit: of losses, on both charts.
        size_x_log: whether that chart's x axis is logarithmic; the others likewise.
        families: names of architectures.
        depths: numbers of layers.
        sizes: labels of sizes, as `ViewChoices` gives them.
        seeds: of training.
        fits: whether fitted laws are drawn.
        bands: whether intervals are drawn.
        paper: whether the paper's approximate values are laid over the charts.
    """

    x: Measure = "body_params"
    unit: Unit = "nats"
    size_x_log: bool = True
    size_y_log: bool = False
    position_x_log: bool = True
    position_y_log: bool = False
    families: tuple[str, ...] | None = None
    depths: tuple[int, ...] | None = None
    sizes: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    fits: bool = True
    bands: bool = True
    paper: bool = False


@dataclass(frozen=True)
class ViewChoices:
    """What a study's runs can be chosen by, each in the order of the charts."""

    families: tuple[str, ...]
    depths: tuple[int, ...]
    sizes: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class ChosenCharts:
    """Both charts of a view, and what it asks for that they cannot show, in sentences."""

    size: Chart
    position: Chart
    size_notes: tuple[str, ...]
    position_notes: tuple[str, ...]


def view_choices(runs: Iterable[Row]) -> ViewChoices:
    """The choices that the measured runs leave.

    Args:
        runs: rows of the table of runs.
    """
    rows = [run for run in runs if _drawable(run)]
    return ViewChoices(
        families=tuple(in_table_order({run["architecture"] for run in rows})),
        depths=tuple(sorted({run["num_layers"] for run in rows} - {None})),
        sizes=tuple(dict.fromkeys(_size_labels(rows).values())),
        seeds=tuple(sorted({run["seed"] for run in rows} - {None})),
    )


def chosen_charts(
    view: View,
    *,
    runs: pa.Table,
    positions: pa.Table,
    bits: Callable[[], pa.Table],
    fits: Mapping[str, Any],
    references: Mapping[str, str] | None = None,
) -> ChosenCharts:
    """Draws the view.

    Args:
        view: what is shown.
        runs: results/runs.parquet, the runs that the study's charts show, and scored models to compare them with.
        positions: results/positions.parquet.
        bits: gives the bins of the same scores in bits per byte; called where the view asks for them.
        fits: results/fits.json.
        references: score id -> label of scored models that the study did not train.
    """
    rows = [run for run in runs.to_pylist() if run["run_id"] is not None]
    unit = NATS if view.unit == "nats" else bits_per_byte_of(run for run in rows if _drawable(run))
    shown = Shown(run_ids=_chosen_ids(rows, view), unit=unit, intervals=view.bands)
    drawn_fits = fits if view.fits else {}
    paper = view.paper and view.unit == "nats"
    size = _size_chart(view.x, pa.Table.from_pylist(rows, schema=runs.schema), drawn_fits, paper=paper, shown=shown)
    bins = positions if view.unit == "nats" else bits()
    position = loss_vs_position_chart(runs, bins, drawn_fits, references=references, paper=paper, shown=shown)
    return ChosenCharts(
        size=on_axes(size, x_log=view.size_x_log, y_log=view.size_y_log),
        position=on_axes(position, x_log=view.position_x_log, y_log=view.position_y_log),
        size_notes=_size_notes(view, unit, fits, chosen=shown.run_ids),
        position_notes=_position_notes(view, unit, fits),
    )


def _size_chart(x: Measure, runs: pa.Table, fits: Mapping[str, Any], *, paper: bool, shown: Shown) -> Chart:
    body = loss_vs_parameters_chart(runs, fits, paper=paper and x == "body_params", shown=shown)
    if x == "body_params":
        return body
    of_cost = {"total_params": loss_vs_total_parameters_chart, "train_flops": loss_vs_flops_chart, "train_seconds": loss_vs_seconds_chart}
    # Where nothing is known of a cost there is no chart; an empty one says so in its place.
    chart = of_cost[x](runs, fits, shown=shown)
    return chart or replace(body, panels=(replace(body.panels[0], marks=(), key=(), empty="no run to draw"),))


def on_axes(chart: Chart, *, x_log: bool, y_log: bool) -> Chart:
    """The chart with its first panel's axes logarithmic or not."""
    panel = chart.panels[0]
    x, y = (_scaled(axis, log=log) for axis, log in ((panel.x, x_log), (panel.y, y_log)))
    return replace(chart, panels=(replace(panel, x=x, y=y), *chart.panels[1:]))


def _scaled(axis: Axis, *, log: bool) -> Axis:
    return replace(axis, log=log) if axis.log != log else axis


def _chosen_ids(rows: Sequence[Row], view: View) -> frozenset[str] | None:
    """Ids of the chosen runs; None where nothing was left out."""
    if (view.families, view.depths, view.sizes, view.seeds) == (None, None, None, None):
        return None
    labels = _size_labels(rows)
    asked = (("architecture", view.families), ("num_layers", view.depths), ("seed", view.seeds))
    return frozenset(
        run["run_id"]
        for run in rows
        if all(chosen is None or run[column] in chosen for column, chosen in asked)
        and (view.sizes is None or labels.get(run["run_id"]) in view.sizes)
    )


def _size_labels(rows: Iterable[Row]) -> dict[str, str]:
    """Run id -> label of its size; sizes that families were matched at share the label that most of them have."""
    rungs: list[list[Row]] = []
    for run in sorted((run for run in rows if _drawable(run)), key=lambda run: run["body_params"]):
        if rungs and run["body_params"] <= rungs[-1][0]["body_params"] * SAME_SIZE:
            rungs[-1].append(run)
        else:
            rungs.append([run])
    return {run["run_id"]: mode(size_label(other["body_params"]) for other in rung) for rung in rungs for run in rung}


def _drawable(run: Row) -> bool:
    return run["architecture"] is not None and run["body_params"] is not None and run["loss_nats"] is not None


def _size_notes(view: View, unit: LossUnit, fits: Mapping[str, Any], *, chosen: frozenset[str] | None) -> tuple[str, ...]:
    notes = []
    fitted = view.fits and any(fit["x"] == view.x and fit["converged"] for fit in fits.get("loss_vs_size", ()))
    if fitted and unit.per_nat is None:
        notes.append(
            "The fitted laws are in nats per token and are left out: these models were not measured on the same tokens, so that no one "
            "factor turns them into bits per byte."
        )
    elif fitted and chosen is not None:
        notes.append("A fitted law rests on all runs of its family and depth, chosen here or not.")
    if view.paper and view.unit != "nats":
        notes.append(_PAPER_IN_NATS)
    elif view.paper and view.x != "body_params":
        notes.append("The paper's values are left out: it gives them over parameters without embeddings only.")
    return tuple(notes)


def _position_notes(view: View, unit: LossUnit, fits: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if view.fits and not unit.position_laws and any(fit["converged"] for fit in fits.get("loss_vs_position", ())):
        notes.append(
            "The fitted laws are in nats per token and are left out: tokens differ in bytes from position to position, so that no one "
            "factor turns them into bits per byte."
        )
    if view.paper and view.unit != "nats":
        notes.append(_PAPER_IN_NATS)
    return tuple(notes)


_PAPER_IN_NATS = "The paper's values are left out: they are in nats per token of its own tokenizer, and bytes are not known for them."
