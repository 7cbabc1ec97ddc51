"""How much lower the loss is late in the context than early, over training: shows when long-range use is learned."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from hf_ctxscale.analysis.claims_of_context import EARLY
from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import last_octave
from hf_ctxscale.charts.chart_data import Axis, Band, Bars, Chart, Line, Mark, Panel
from hf_ctxscale.charts.hover import hover_text, loss_text
from hf_ctxscale.charts.line_labels import ROOM_FOR_LABELS
from hf_ctxscale.charts.loss_vs_position import BAND_OPACITY
from hf_ctxscale.charts.loss_vs_tokens import ROOM
from hf_ctxscale.charts.model_lines import ModelLine, model_lines
from hf_ctxscale.charts.paired_difference import ZERO
from hf_ctxscale.charts.series import chart_series
from hf_ctxscale.study import size_label

Gaps = Sequence[tuple[int, Estimate]]  # training tokens, gap in nats


def gap_in_training_chart(runs: pa.Table, gaps: Mapping[str, Gaps], *, context_tokens: int) -> Chart:
    """The gap between early and late positions at every validation of every run, with intervals as bands; as bars where a model has several seeds.

    Args:
        runs: results/runs.parquet.
        gaps: run id -> its gaps in order of training tokens.
        context_tokens: T, for the positions in the title.
    """
    lines, rule = model_lines(chart_series(runs), measured=set(gaps), room=ROOM_FOR_LABELS)
    tokens = [at for own in gaps.values() for at, _ in own]
    documents = sorted({gap.num_documents for own in gaps.values() for _, gap in own})
    banded = any(gap.has_interval for own in gaps.values() for _, gap in own)
    over = f"95 % intervals over {documents[-1]} validation documents" if banded else "no intervals: one validation document"
    (early_from, early_to), (late_from, late_to) = EARLY, last_octave(context_tokens)
    return Chart(
        name="gap_in_training",
        title="What context buys, over training",
        subtitle="\n".join(
            line
            for line in (
                f"loss at positions {early_from}–{early_to} minus {late_from}–{late_to}; above zero: context is used",
                over if documents else None,
                rule,
            )
            if line
        ),
        alternative_text=(
            f"Line chart of the loss at positions {early_from} to {early_to} minus that at positions {late_from} to {late_to} against training tokens, "
            "log x axis, a line per model, a rule at zero."
        ),
        panels=(
            Panel(
                x=Axis(
                    "Training tokens",
                    log=True,
                    counts=True,
                    low=min(tokens) / ROOM if tokens else None,
                    high=max(tokens) * ROOM if tokens else None,
                ),
                y=Axis("Early minus late loss (nats)"),
                marks=(ZERO, *(mark for line in lines for mark in _marks(line, [gaps[run["run_id"]] for run in line.runs]))),
            ),
        ),
    )


def _marks(line: ModelLine, gaps_by_run: Sequence[Gaps]) -> list[Mark]:
    """A line for each seed, and a band where there is one seed: those of several would cover each other."""
    marks: list[Mark] = []
    if line.stands_out:
        for gaps in gaps_by_run:
            known = [(at, gap) for at, gap in gaps if gap.has_interval]
            places, low, high = (tuple(at for at, _ in known), tuple(g.low for _, g in known), tuple(g.high for _, g in known))
            if known and len(gaps_by_run) == 1:
                marks.append(Band(places, low, high, line.colour, opacity=BAND_OPACITY, group=line.label))
            elif known:
                marks.append(Bars(places, low, high, line.colour, width=1.0, group=line.label))
    lines = [_line(line, gaps) for gaps in gaps_by_run]
    return [*marks, *line.labelled(lines)]


def _line(line: ModelLine, gaps: Gaps) -> Line:
    measured = [(at, gap) for at, gap in gaps if gap.value == gap.value]
    return line.through(
        [at for at, _ in measured],
        [gap.value for _, gap in measured],
        hover=tuple(
            hover_text(line.label, f"{size_label(at)} tokens", loss_text(gap.value, *((gap.low, gap.high) if gap.has_interval else ())))
            for at, gap in measured
        ),
    )
