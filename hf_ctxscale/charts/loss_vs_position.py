"""The figure's right chart: loss against the token's index in its context, one line for each model."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Line, Mark, Panel
from hf_ctxscale.charts.fitted_curves import fit_marks
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.model_lines import ModelLine, model_lines, reference_lines
from hf_ctxscale.charts.paper_overlay import PAPER_KEY, paper_position_marks
from hf_ctxscale.charts.series import Row, chart_series
from hf_ctxscale.charts.shown import ALL, NATS, LossUnit, Shown
from hf_ctxscale.charts.subtitle import num_failed, subtitle

FIT_WIDTH = 0.8
BAND_OPACITY = 0.12
MARKER_EVERY = 3


def loss_vs_position_chart(
    runs: pa.Table,
    positions: pa.Table,
    fits: Mapping[str, Any],
    *,
    references: Mapping[str, str] | None = None,
    paper: bool = False,
    shown: Shown = ALL,
) -> Chart:
    """Every model's loss in log-spaced bins of context position, each at its bin's geometric middle, with intervals as bands and fitted laws.

    Every model has a line. Where not all labels fit, some models stand out with label, band and fit, and the chart says by which rule.
    Single positions are left out: a position has as many tokens as there are windows, and its noise would hide the lines.

    Args:
        runs: results/runs.parquet.
        positions: results/positions.parquet, or its bins in another unit.
        fits: results/fits.json; empty where nothing was fitted.
        references: score id -> label of scored models that the study did not train, measured as its runs are; they are dashed and dark grey.
        paper: whether the paper's values stand beside the study's, labelled as approximate; the axis reaches to them.
        shown: which of the runs are drawn, and how; references always are.

    Source: Kaplan et al. 2020, figure 7, right.
    """
    bins = bins_by_score(positions, loss=shown.unit.of_bin[0])
    rows = [row for row in runs.to_pylist() if row["score_id"] in bins]
    overlay = paper_position_marks() if paper else ()
    compared = reference_lines(rows, references or {})
    trained, rule = model_lines(
        chart_series(runs),
        measured={row["run_id"] for row in rows if shown.holds(row["run_id"])},
        room=ROOM_FOR_LABELS - len(compared) - len(overlay),
    )
    lines = (*trained, *compared)
    drawn = [run for line in lines for run in line.runs]
    laws = {
        fit["score_id"]: fit for fit in fits.get("loss_vs_position", ()) if fit["converged"] and fit["curve"] and shown.unit.position_laws
    }
    fitted = [[laws[run["score_id"]] for run in line.runs if run["score_id"] in laws and line.stands_out] for line in lines]
    ends = [row["position_to"] for run in drawn for row in bins[run["score_id"]]]
    ends += [x for mark in overlay for x in mark.x]
    note = "\n".join(part for part in (rule, "thin dashes: fitted L_inf + A·t^-α" if any(fitted) else None) if part)
    marks = [
        mark
        for line, own in zip(lines, fitted, strict=True)
        for mark in (*_marks(line, [bins[run["score_id"]] for run in line.runs], unit=shown.unit), *_fits(line, own))
    ]
    return Chart(
        name="loss_vs_position",
        title="Loss by position in the context",
        subtitle=subtitle(drawn, intervals="bands" if shown.intervals else None, num_failed=num_failed(runs), note=note or None),
        panels=(
            Panel(
                x=Axis("Token index in context", log=True, low=1, high=max(ends, default=None)),
                y=Axis(shown.unit.by_position),
                marks=(*shown.marks(marks), *overlay) if drawn else (),
                key=(PAPER_KEY,) if overlay else (),
            ),
        ),
    )


def bins_by_score(positions: pa.Table, *, loss: str = "loss_nats") -> dict[str, list[Row]]:
    """The bins of every score whose ``loss`` was measured, in order of position."""
    bins: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(positions.to_pylist(), key=lambda row: row["position_from"]):
        if row[loss] is not None:
            bins[row["score_id"]].append(row)
    return dict(bins)


def middles(bins: Sequence[Row]) -> tuple[float, ...]:
    """Where bins of position stand on a log axis."""
    return tuple(math.sqrt(row["position_from"] * row["position_to"]) for row in bins)


def _marks(line: ModelLine, bins_by_run: Sequence[list[Row]], *, unit: LossUnit) -> list[Mark]:
    """A line and a band for each seed."""
    bands = [
        band_of(bins, colour=line.colour, group=line.label, opacity=BAND_OPACITY, unit=unit) for bins in bins_by_run if line.stands_out
    ]
    lines = [
        line.through(middles(bins), [row[unit.of_bin[0]] for row in bins], marker_every=MARKER_EVERY, hover=_hover(line, run, bins, unit))
        for run, bins in zip(line.runs, bins_by_run, strict=True)
    ]
    return [*(band for band in bands if band is not None), *line.labelled(lines)]


def band_of(bins: Sequence[Row], *, colour: str, group: str, opacity: float, unit: LossUnit = NATS) -> Band | None:
    """The intervals of those bins that have one."""
    _, *ends = unit.of_bin
    banded = [row for row in bins if all(row[end] is not None for end in ends)]
    if not banded:
        return None
    low, high = (tuple(row[key] for row in banded) for key in ends)
    return Band(middles(banded), low, high, colour, opacity=opacity, group=group)


def _fits(line: ModelLine, laws: Sequence[Row]) -> list[Mark]:
    """Fitted curves alone: their bands would cover those of the measured bins."""
    marks = [fit_marks(law, colour=line.colour, group=line.label, width=FIT_WIDTH) for law in laws]
    return [mark for own in marks for mark in own if isinstance(mark, Line)]


def _hover(line: ModelLine, run: Row, bins: Sequence[Row], unit: LossUnit) -> tuple[str, ...]:
    seed = f"seed {run['seed']}" if len(line.runs) > 1 else None
    return tuple(
        hover_text(
            line.label,
            seed,
            position_text(row["position_from"], row["position_to"]),
            loss_text(*(row[column] for column in unit.of_bin), unit=unit.name),
        )
        for row in bins
    )
