"""training_view: some runs of a study over their training, as the tab Training shows them: loss, loss by position at a moment, and the gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pyarrow as pa

from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import mean_loss
from hf_ctxscale.analysis.training_curves import (
    TrainingCurves,
    context_gap,
    gap_growth,
    gap_obstacle,
    load_training_curves,
    losses_by_position,
)
from hf_ctxscale.app.compare_choices import Choices, default_scores, rows_by_score
from hf_ctxscale.app.opened import OpenedStudy, kept_if_shipped
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.gap_in_training import Gaps, gap_in_training_chart
from hf_ctxscale.charts.loss_vs_tokens import loss_vs_tokens_chart
from hf_ctxscale.charts.position_in_training import Curve, position_in_training_chart
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.reporting.claim_tables import model_name
from hf_ctxscale.reporting.numbers import estimate, percent
from hf_ctxscale.reporting.sources import in_order
from hf_ctxscale.reporting.training_words import GapHistory, gap_sentences
from hf_ctxscale.study import UserError, size_label

CACHED = 256  # curves of runs at all their validations, and charts at each
MOST_RUNS = 6  # on one chart: with more, bands cover each other
AXIS_ROOM = 0.03  # above and below all curves, as a share of their height
NO_RUNS = "This study trained no models, so it has nothing to say about training."
NO_CURVES = (
    "None of these runs has its validation losses by position over training: an older version trained them, which kept their mean alone. "
    "Runs that are trained anew have them."
)


@dataclass(frozen=True)
class RunCurves:
    """One run's curve by position at every validation, in order of training tokens."""

    curves: TrainingCurves
    by_position: tuple[Curve, ...]
    gaps: Gaps  # empty where the context is too short

    def at(self, tokens: int) -> Curve | None:
        """The curve of the last validation of those up to a number of training tokens."""
        places = [place for place, moment in enumerate(self.curves.moments) if moment.tokens <= tokens]
        return self.by_position[places[-1]] if places else None


def run_choices(opened: OpenedStudy) -> Choices:
    """Every run with a size, a loss and a history, in the charts' order."""
    names = {run_id: model_name(opened.sources, run_id) for run_id in _runs(opened)["run_id"].to_pylist()}
    return {run_id: name for run_id, name in names.items() if opened.study.history_file(run_id).is_file()}


def _runs(opened: OpenedStudy) -> pa.Table:
    """The table of runs with one row for each run, at the score that claims rest on, of those that a chart can place."""
    rows = [row for row in in_order(opened.sources.runs) if row["loss_nats"] is not None and row["body_params"] is not None]
    return pa.Table.from_pylist(rows, schema=RUNS_SCHEMA)


def default_runs(opened: OpenedStudy) -> tuple[str, ...]:
    """Those of the two models that the study itself sets against each other at its largest size, or the first two."""
    run_of = {score_id: row["run_id"] for score_id, row in rows_by_score(opened).items()}
    choices = run_choices(opened)
    return tuple(run_of[score_id] for score_id in default_scores(opened) if run_of[score_id] in choices) or tuple(choices)[:2]


@kept_if_shipped(CACHED)
def _loaded(opened: OpenedStudy, run_id: str) -> TrainingCurves | None:
    return load_training_curves(opened.study.validation_curves_file(run_id))


@kept_if_shipped(CACHED)
def run_curves(opened: OpenedStudy, run_id: str) -> RunCurves | None:
    """A run's curves; None where it has none.

    Raises:
        UserError: its file cannot be read.
    """
    curves = _loaded(opened, run_id)
    if curves is None:
        return None
    gaps = [] if gap_obstacle(curves.context_tokens) else [(moment.tokens, context_gap(curves, moment)) for moment in curves.moments]
    return RunCurves(curves, tuple(losses_by_position(curves, moment) for moment in curves.moments), tuple(gaps))


def all_moments(opened: OpenedStudy) -> tuple[int, ...]:
    """The numbers of training tokens at which runs of the study were validated; empty where none has curves."""
    found = (_loaded(opened, run_id) for run_id in run_choices(opened))
    return tuple(sorted({moment.tokens for curves in found if curves for moment in curves.moments}))


def has_curves(opened: OpenedStudy, run_ids: Sequence[str]) -> bool:
    """Whether any of the runs has curves by position."""
    return any(_loaded(opened, run_id) for run_id in run_ids)


def checked_runs(opened: OpenedStudy, run_ids: Sequence[str]) -> tuple[str, ...]:
    """The runs in the charts' order.

    Raises:
        UserError: the study does not hold one of them, or there are none or too many.
    """
    choices = run_choices(opened)
    if not choices:
        raise UserError(NO_RUNS)
    unknown = [run_id for run_id in run_ids if run_id not in choices]
    if unknown:
        raise UserError(f"this study holds no run {unknown[0]!r} with a history; it holds: {', '.join(choices)}.")
    if not 1 <= len(set(run_ids)) <= MOST_RUNS:
        raise UserError(f"{len(set(run_ids))} runs are chosen; choose 1 to {MOST_RUNS}.")
    return tuple(run_id for run_id in choices if run_id in run_ids)


@kept_if_shipped(CACHED)
def loss_chart(opened: OpenedStudy, run_ids: tuple[str, ...]) -> tuple[Chart, str]:
    """Validation loss over training tokens, and what it shows."""
    histories = {run_id: read_table(opened.study.history_file(run_id)) for run_id in run_ids}
    said = []
    for run_id, history in histories.items():
        losses = [row for row in history.to_pylist() if row["validation_loss_nats"] is not None]
        if losses:
            name, last = model_name(opened.sources, run_id), losses[-1]
            said.append(f"{name} ends at {last['validation_loss_nats']:.3f} nats after {size_label(last['tokens'])} tokens")
    return loss_vs_tokens_chart(_runs(opened), histories), f"{'; '.join(said)}. Of one seed each, without interval." if said else ""


@kept_if_shipped(CACHED)
def position_chart(opened: OpenedStudy, run_ids: tuple[str, ...], tokens: int) -> tuple[Chart, str]:
    """Loss by position after some training tokens, and what it shows."""
    found = {run_id: own for run_id in run_ids if (own := run_curves(opened, run_id))}
    now = {run_id: curve for run_id, own in found.items() if (curve := own.at(tokens))}
    values = [loss.value for own in found.values() for curve in own.by_position for _, loss in curve if loss.value == loss.value]
    if not values:
        raise UserError(NO_CURVES)
    low, high = min(values), max(values)
    room = AXIS_ROOM * (high - low)
    ends = {run_id: own.by_position[-1] for run_id, own in found.items()}
    chart = position_in_training_chart(_runs(opened), now, ends, tokens=tokens, limits=(low - room, high + room))
    return chart, " ".join(_position_sentence(opened, run_id, found[run_id], tokens) for run_id in now)


def _position_sentence(opened: OpenedStudy, run_id: str, own: RunCurves, tokens: int) -> str:
    moment = own.curves.after(tokens)
    assert moment is not None, tokens
    share = percent(moment.tokens / own.curves.moments[-1].tokens, decimals=0)
    head = f"{model_name(opened.sources, run_id)}, after {size_label(moment.tokens)} tokens ({share} of its training)"
    gap = dict(own.gaps).get(moment.tokens)
    if gap is None:
        return f"{head}: {gap_obstacle(own.curves.context_tokens)}."
    limits = (gap.low, gap.high) if gap.has_interval else (None, None)
    return f"{head}: early minus late positions {estimate(gap.value, *limits, signed=True)} nats."


@kept_if_shipped(CACHED)
def gap_chart(opened: OpenedStudy, run_ids: tuple[str, ...]) -> tuple[Chart, tuple[str, ...]]:
    """The gap between early and late positions over training, and what it shows of when long-range use is learned."""
    found = {run_id: own for run_id in run_ids if (own := run_curves(opened, run_id))}
    if not found:
        raise UserError(NO_CURVES)
    context_tokens = max(own.curves.context_tokens for own in found.values())
    chart = gap_in_training_chart(
        _runs(opened), {run_id: own.gaps for run_id, own in found.items() if own.gaps}, context_tokens=context_tokens
    )
    obstacle = gap_obstacle(context_tokens)
    if obstacle:
        return chart, (f"{obstacle[0].upper()}{obstacle[1:]}.",)
    histories = [_history(opened, run_id, own) for run_id, own in found.items() if own.gaps]
    return chart, gap_sentences(histories, context_tokens=context_tokens)


def _history(opened: OpenedStudy, run_id: str, own: RunCurves) -> GapHistory:
    """With the growth since the last validation in the first half of training."""
    curves, first, last = own.curves, own.curves.moments[0], own.curves.moments[-1]
    middle = curves.after(last.tokens // 2)
    start, then, end = (mean_loss(moment.losses).value for moment in (first, middle or first, last))
    return GapHistory(
        name=model_name(opened.sources, run_id),
        tokens=tuple(moment.tokens for moment in curves.moments),
        gaps=tuple(gap for _, gap in own.gaps),
        since=middle.tokens if middle else None,
        growth=gap_growth(curves, since=middle, until=last) if middle else None,
        fallen=(start - then) / (start - end) if middle and start > end else None,
    )


def training_result(opened: OpenedStudy, run_id: str) -> dict[str, Any]:
    """A run's training as plain JSON: at every validation the mean loss, the gap, and the loss by position, each with its interval.

    Raises:
        UserError: it has no validation curves.
    """
    own = run_curves(opened, run_id)
    if own is None:
        raise UserError(NO_CURVES)
    gaps = dict(own.gaps)
    moments = [
        {
            "tokens": moment.tokens,
            "loss_nats": _plain(mean_loss(moment.losses)),
            "early_minus_late_nats": _plain(gaps[moment.tokens]) if moment.tokens in gaps else None,
            "loss_by_position": [{"position_from": first, "position_to": last, **_plain(loss)} for (first, last), loss in curve],
        }
        for moment, curve in zip(own.curves.moments, own.by_position, strict=True)
    ]
    return {"model": run_choices(opened)[run_id], "run_id": run_id, "sentences": list(gap_chart(opened, (run_id,))[1]), "moments": moments}


def _plain(measured: Estimate) -> dict[str, float | None]:
    numbers = {"value": measured.value, "low": measured.low, "high": measured.high}
    return {name: number if isfinite(number) else None for name, number in numbers.items()}
