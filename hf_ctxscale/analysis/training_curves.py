"""TrainingCurves: a run's validation losses by position over training, and how much lower the loss is late in the context than early.

Letters: D documents, W bins of positions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hf_ctxscale.analysis.claims_of_context import EARLY
from hf_ctxscale.analysis.condensed import BINS_KEY
from hf_ctxscale.analysis.positions import (
    Estimate,
    PositionLosses,
    Statistic,
    Window,
    estimate,
    last_octave,
    log_bins,
    mean_statistic,
    paired_difference,
)
from hf_ctxscale.columns import VALIDATION_CURVES_SCHEMA
from hf_ctxscale.files import read_table
from hf_ctxscale.study import UserError

MIN_GAP_CONTEXT = 2 * EARLY[1]  # below it, the last octave would overlap with positions 17-32


@dataclass(frozen=True)
class Moment:
    """One validation; ``losses`` has a column per bin of TrainingCurves.bins."""

    step: int
    tokens: int  # trained on so far
    losses: PositionLosses


@dataclass(frozen=True)
class TrainingCurves:
    """One run's validations, in order of their steps; all of the same documents and windows."""

    bins: tuple[Window, ...]
    moments: tuple[Moment, ...]  # never empty

    @property
    def context_tokens(self) -> int:
        """T."""
        return self.bins[-1][1]

    def after(self, tokens: int) -> Moment | None:
        """The last validation of those up to a number of training tokens."""
        return next((moment for moment in reversed(self.moments) if moment.tokens <= tokens), None)

    def columns(self, window: Window) -> Window:
        """The bins that make up a window of positions, counted from 1: where PositionLosses of bins hold it.

        Raises:
            UserError: no bins begin and end where the window does.
        """
        firsts, lasts = ([bin[end] for bin in self.bins] for end in (0, 1))
        if window[0] not in firsts or window[1] not in lasts:
            raise UserError(f"the validation curves have no bins that make up positions {window[0]}-{window[1]}; train the run again.")
        return firsts.index(window[0]) + 1, lasts.index(window[1]) + 1


def load_training_curves(path: Path) -> TrainingCurves | None:
    """Reads validation_curves.parquet; None where the run has none, as runs that an older version trained.

    Raises:
        UserError: the file is not such a table.
    """
    if not path.is_file():
        return None
    try:
        table = read_table(path)
        bins = _checked_bins(json.loads((table.schema.metadata or {})[BINS_KEY]))
        rows = table.cast(VALIDATION_CURVES_SCHEMA).sort_by([("step", "ascending"), ("document", "ascending")]).to_pylist()
        moments = tuple(_moment(list(group), num_bins=len(bins)) for _, group in groupby(rows, key=itemgetter("step")))
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is not a table of validation curves ({what}); train the run again.") from None
    if len({moment.losses.documents for moment in moments}) != 1:
        raise UserError(f"{path} holds no documents, or other ones at other steps; train the run again.")
    return TrainingCurves(bins, moments)


def _checked_bins(given: Any) -> tuple[Window, ...]:
    bins = tuple((int(first), int(last)) for first, last in given)
    edges = [0, *(last for _, last in bins)]
    if not bins or any(first != edge + 1 or last < first for (first, last), edge in zip(bins, edges, strict=False)):
        raise ValueError("its bins do not cover the positions once")
    return bins


def _moment(rows: Sequence[dict[str, Any]], *, num_bins: int) -> Moment:
    counts_DW, sums_DW = (
        np.array([row[name] for row in rows], dtype=kind) for name, kind in (("num_tokens", np.int64), ("loss_sum_nats", np.float64))
    )
    if counts_DW.shape != sums_DW.shape or counts_DW.shape[1:] != (num_bins,):
        raise ValueError(f"a row has not the {num_bins} values that its bins call for")
    if (counts_DW < 0).any() or not np.isfinite(sums_DW).all():
        raise ValueError("a count is below zero, or a loss is not finite")
    documents = tuple(row["document"] for row in rows)
    if len(set(documents)) < len(documents):
        raise ValueError("a document stands twice at one step")
    # Blocks are counted at the first position, bytes were not counted.
    return Moment(
        rows[0]["step"], rows[0]["tokens"], PositionLosses(documents, counts_DW[:, 0], counts_DW, np.zeros_like(counts_DW), sums_DW)
    )


def losses_by_position(curves: TrainingCurves, moment: Moment) -> tuple[tuple[Window, Estimate], ...]:
    """Mean loss in each log-spaced bin of positions, with an interval for each by itself over validation documents.

    Raises:
        UserError: the file's bins do not make up the log-spaced ones.
    """
    windows = log_bins(curves.context_tokens)
    return tuple((window, estimate(moment.losses, statistic=mean_statistic(*curves.columns(window)))) for window in windows)


def gap_obstacle(context_tokens: int) -> str | None:
    """Why the gap between early and late positions cannot be measured at this context length, or nothing."""
    if context_tokens >= MIN_GAP_CONTEXT:
        return None
    return f"early and late positions are told apart from a context of {MIN_GAP_CONTEXT} tokens on; this one has {context_tokens}"


def context_gap(curves: TrainingCurves, moment: Moment) -> Estimate:
    """Mean loss at positions 17-32 minus that of the last octave, with an interval over validation documents.

    Above zero: what stands far back in the context is used. The two ends hold other targets, so that a part of it is how hard these are.
    """
    return estimate(moment.losses, statistic=_gap_statistic(curves))


def gap_growth(curves: TrainingCurves, *, since: Moment, until: Moment) -> Estimate:
    """By how much the gap grew between two validations: the same targets twice, so that how hard they are drops out."""
    return paired_difference(until.losses, since.losses, statistic=_gap_statistic(curves))


def _gap_statistic(curves: TrainingCurves) -> Statistic:
    assert gap_obstacle(curves.context_tokens) is None, curves.context_tokens
    return Statistic((curves.columns(EARLY), curves.columns(last_octave(curves.context_tokens))), (1.0, -1.0))


def clear_from(gaps: Sequence[Estimate]) -> int | None:
    """From which validation on the interval lies above zero at this one and at every later one; None where the last one's does not."""
    clear = [gap.has_interval and gap.low > 0 for gap in gaps]
    return next((place for place in range(len(clear)) if all(clear[place:])), None)
