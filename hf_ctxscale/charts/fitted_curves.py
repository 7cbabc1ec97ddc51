"""Which fitted law of results/fits.json stands beside measured points on a chart, and its curve and band as marks."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.charts.chart_data import Band, Line, Mark
from hf_ctxscale.charts.hover import loss_text
from hf_ctxscale.charts.series import Row
from hf_ctxscale.charts.shown import NATS, LossUnit

LINE_WIDTH = 1.0
BAND_OPACITY = 0.1
# A law through two points is the line between them.
FEWEST_POINTS = 3


def identified(fit: Row) -> bool:
    """Whether a law was fitted and the data pin down every one of its parameters."""
    return fit["converged"] and bool(fit["curve"]) and all(parameter["value"] is not None for parameter in fit["params"].values())


def drawn_law(runs: Sequence[Row], fits: Mapping[str, Any], *, x: str) -> Row | None:
    """The law through these runs: that with an offset where the data pin it down, otherwise the paper's; None where neither was fitted.

    Args:
        runs: rows of the table of runs.
        fits: results/fits.json.
        x: what the loss is set against: body_params, total_params, train_flops or train_seconds.
    """
    run_ids = {run["run_id"] for run in runs}
    own = [fit for fit in fits.get("loss_vs_size", ()) if fit["x"] == x and any(point["run_id"] in run_ids for point in fit["points"])]
    curved = [fit for fit in own if fit["converged"] and fit["curve"] and len({point["x"] for point in fit["points"]}) >= FEWEST_POINTS]
    with_offset = [fit for fit in curved if "e" in fit["params"] and identified(fit)]
    return next(iter([*with_offset, *(fit for fit in curved if "e" not in fit["params"])]), None)


def fit_marks(fit: Row | None, *, colour: str, group: str = "", width: float = LINE_WIDTH, unit: LossUnit = NATS) -> tuple[Mark, ...]:
    """A law's curve, thin and dashed, over its band where it has one; nothing where there is no law, or none in this unit."""
    if fit is None or unit.per_nat is None:
        return ()
    curve = [_in_unit(point, unit.per_nat) for point in fit["curve"]]
    line = Line(
        x=tuple(point["x"] for point in curve),
        y=tuple(point["loss_nats"] for point in curve),
        colour=colour,
        dash="dashed",
        width=width,
        hover=tuple(f"fitted {fit['form']}: {loss_text(point['loss_nats'], unit=unit.name)}" for point in curve),
        group=group,
    )
    banded = [point for point in curve if point["low"] is not None and point["high"] is not None]
    if not banded:
        return (line,)
    x, low, high = (tuple(point[key] for point in banded) for key in ("x", "low", "high"))
    return (Band(x, low, high, colour, opacity=BAND_OPACITY, group=group), line)


def _in_unit(point: Row, per_nat: float) -> Row:
    return point | {key: None if point[key] is None else point[key] * per_nat for key in ("loss_nats", "low", "high")}
