"""compare_view: two models of a study as the tab Compare shows them: what can be said, and both by position."""

import math
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.analysis.comparison import Comparison
from hf_ctxscale.analysis.comparisons import compare_scores, difference_by_position
from hf_ctxscale.analysis.paired_differences import DifferenceCurve
from hf_ctxscale.analysis.scored import load_scored
from hf_ctxscale.app.compare_choices import rows_by_score, score_choices
from hf_ctxscale.app.opened import OpenedStudy, kept_if_shipped
from hf_ctxscale.charts.chart_data import Chart
from hf_ctxscale.charts.chosen_scores import score_label
from hf_ctxscale.charts.two_models import two_models_chart
from hf_ctxscale.reporting.two_models_words import band_sentence, comparison_sentences
from hf_ctxscale.study import UserError

CACHED = 64  # pairs; a visitor who swaps two models or comes back to them does not wait again
TOO_FEW = "This study holds fewer than two scored models, so there is nothing to compare."

TWICE = "Both are the same model; choose two different ones."


@dataclass(frozen=True)
class CompareView:
    """What the tab shows of two models.

    Attributes:
        verdict: sentences, the first one first of importance.
        refused: why the two cannot be subtracted by position; None where they can.
        chart: losses, and the difference where it can be taken.
        comparisons: everything that was compared, with verdicts.
        difference: by position.
    """

    first: str
    second: str
    verdict: tuple[str, ...]
    refused: str | None
    chart: Chart
    comparisons: tuple[Comparison, ...]
    difference: DifferenceCurve | None


@kept_if_shipped(CACHED)
def compare_view(opened: OpenedStudy, first: str, second: str) -> CompareView:
    """Compares two scores of a study.

    Raises:
        UserError: the study does not hold one of them, or they are one score.
    """
    names, rows = score_choices(opened), rows_by_score(opened)
    for score_id in (first, second):
        if score_id not in names:
            raise UserError(f"this study holds no score {score_id!r}; it holds: {', '.join(names) or 'none'}.")
    if first == second:
        raise UserError(TWICE)
    a, b = (load_scored(opened.study, score_id) for score_id in (first, second))
    refused: list[str] = []
    comparisons: tuple[Comparison, ...] = ()
    difference = None
    try:
        # Of two tokenizers bits per byte are compared all the same; of other documents or windows nothing is.
        comparisons = compare_scores(a, b)
        difference = difference_by_position(a, b)
    except UserError as error:
        refused.append(str(error))
    said = list(comparison_sentences(names[first], names[second], comparisons, by_position=difference is not None))
    if difference is not None:
        said.append(band_sentence(names[first], names[second], difference))
    short_a, short_b = (score_label(rows[scored.record.score_id], scored.record) for scored in (a, b))
    on_chart = (short_a, short_b) if short_a != short_b else (names[first], names[second])
    chart = two_models_chart((rows[first], on_chart[0]), (rows[second], on_chart[1]), opened.positions, difference)
    return CompareView(names[first], names[second], tuple(said), refused[0] if refused else None, chart, comparisons, difference)


def compare_result(view: CompareView) -> dict[str, Any]:
    """A comparison as plain JSON: names, sentences, every quantity with its interval and verdict, and the difference by position."""
    found = {
        "first": view.first,
        "second": view.second,
        "verdict": list(view.verdict),
        "refused": view.refused,
        "comparisons": [one.entry() for one in view.comparisons],
        "difference_by_position": view.difference.entries("difference_nats") if view.difference else [],
    }
    return _without_nan(found)


def _without_nan(value: Any) -> Any:
    """The value with null for what was not measured."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
