"""Loss by position in the middle of training: every model's curve at one moment, and where it ends."""

from collections.abc import Mapping, Sequence
from math import sqrt

import pyarrow as pa

from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import Window
from hf_ctxscale.charts.chart_data import Axis, Band, Chart, Line, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text, position_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.loss_vs_position import BAND_OPACITY, MARKER_EVERY
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.charts.style import GREY
from hf_ctxscale.study import size_label

Curve = Sequence[tuple[Window, Estimate]]
END_WIDTH = 1.0
KEY = (Line((), (), GREY, name="at this moment"), Line((), (), GREY, name="at the end of training", dash="dashed", width=END_WIDTH))


def position_in_training_chart(
    runs: pa.Table, now: Mapping[str, Curve], ends: Mapping[str, Curve], *, tokens: int, limits: tuple[float, float]
) -> Chart:
    """Validation loss in log-spaced bins of context position after some training tokens, with intervals as bands; dashed: at the end.

    Args:
        runs: results/runs.parquet.
        now: run id -> its curve at the moment.
        ends: run id -> its curve at the end of training.
        tokens: that the models had been trained on.
        limits: of the loss axis, the same at every moment, so that curves can be seen to fall.
    """
    lines, rule = model_lines(chart_series(runs), measured=set(now), room=ROOM_FOR_LABELS)
    furthest = max((window[1] for curve in now.values() for window, _ in curve), default=None)
    banded = any(loss.has_interval for curve in now.values() for _, loss in curve)
    documents = sorted({loss.num_documents for curve in now.values() for _, loss in curve})
    over = f"bands: 95 % intervals over {documents[-1]} validation documents" if banded else "no intervals: one validation document"
    return Chart(
        name="position_in_training",
        title=f"Loss by position after {size_label(tokens)} training tokens",
        subtitle="\n".join(line for line in (over if documents else None, rule) if line),
        alternative_text=(
            f"Line chart of validation loss against token index in context after {size_label(tokens)} training tokens, log x axis, a line per model; "
            "dashed, where each ends after training."
        ),
        panels=(
            Panel(
                x=Axis("Token index in context", log=True, low=1, high=furthest),
                y=Axis("Validation loss (nats per token)", low=limits[0], high=limits[1]),
                marks=tuple(mark for line in lines for mark in _marks(line, now, ends)),
                key=KEY,
                empty="none of these models had been validated by then",
            ),
        ),
    )


def _marks(line: ModelLine, now: Mapping[str, Curve], ends: Mapping[str, Curve]) -> list[Mark]:
    """For each seed the end, the band and the line."""
    marks: list[Mark] = []
    lines = []
    for run in line.runs:
        curve, end = _measured(now[run["run_id"]]), _measured(ends[run["run_id"]])
        if end != curve:
            marks.append(
                line.through(
                    _middles(end), _values(end), dash="dashed", width=END_WIDTH, marker="", name="", hover=_hover(line, end, "end")
                )
            )
        banded = [(window, loss) for window, loss in curve if loss.has_interval]
        if banded and line.stands_out:
            low, high = (tuple(getattr(loss, end_of) for _, loss in banded) for end_of in ("low", "high"))
            marks.append(Band(_middles(banded), low, high, line.colour, opacity=BAND_OPACITY, group=line.label))
        lines.append(line.through(_middles(curve), _values(curve), marker_every=MARKER_EVERY, hover=_hover(line, curve, None)))
    return [*marks, *line.labelled(lines)]


def _measured(curve: Curve) -> Curve:
    """Those bins in which a token was counted."""
    return [(window, loss) for window, loss in curve if loss.value == loss.value]


def _middles(curve: Curve) -> tuple[float, ...]:
    """Where bins stand on a log axis."""
    return tuple(sqrt(first * last) for (first, last), _ in curve)


def _values(curve: Curve) -> tuple[float, ...]:
    return tuple(loss.value for _, loss in curve)


def _hover(line: ModelLine, curve: Curve, when: str | None) -> tuple[str, ...]:
    return tuple(
        hover_text(
            line.label,
            "at the end of training" if when else None,
            position_text(*window),
            loss_text(loss.value, *((loss.low, loss.high) if loss.has_interval else ())),
        )
        for window, loss in curve
    )
