"""paired_differences: one recipe's loss minus another's along the context, document by document, with limits that hold at all positions at once.

Letters: D documents, R = 1 + D replicates, W windows (bins) of positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_ctxscale.analysis.bands import Band, simultaneous_band
from hf_ctxscale.analysis.fit_series import fit_series
from hf_ctxscale.analysis.ladder import Cell, Ladder, UntestableError
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import PositionLosses, Window, log_bins, window_means
from hf_ctxscale.study import size_label


@dataclass(frozen=True)
class DifferenceCurve:
    """Mean loss of one recipe minus that of another in every bin, in nats, with simultaneous limits."""

    bins: tuple[Window, ...]
    band: Band

    def positions_where(self, *, above: bool) -> tuple[Window, ...]:
        """Stretches of neighbouring bins in which the band lies wholly above 0, or wholly below."""
        clear_W = self.band.low_W > 0 if above else self.band.high_W < 0
        stretches: list[Window] = []
        for (first, last), clear in zip(self.bins, clear_W.tolist(), strict=True):
            if not clear:
                continue
            if stretches and stretches[-1][1] + 1 == first:
                stretches[-1] = (stretches[-1][0], last)
            else:
                stretches.append((first, last))
        return tuple(stretches)

    def entries(self, name: str) -> list[dict[str, Any]]:
        """One per bin, as results/fits.json holds them; the difference stands under ``name``."""
        numbers = zip(self.bins, self.band.value_W.tolist(), self.band.low_W.tolist(), self.band.high_W.tolist(), strict=True)
        return [
            {"position_from": first, "position_to": last, name: value, "low": low, "high": high}
            for (first, last), value, low, high in numbers
        ]


@dataclass(frozen=True)
class PairedDifference:
    """Two recipes of one size, the first minus the second: above 0, the second predicts better."""

    size: int  # target body parameters
    first: Cell
    second: Cell
    first_label: str
    second_label: str
    curve: DifferenceCurve

    @property
    def sentence(self) -> str:
        """What the band says, in words."""
        head = f"At {size_label(self.size)} body parameters, the loss of {self.first_label} minus that of {self.second_label}"
        if self.curve.band.reason:
            return f"{head}: {self.curve.band.reason}."
        above, below = (_listed(self.curve.positions_where(above=side)) for side in (True, False))
        if not above and not below:
            return f"{head}: the band holds 0 at every position."
        parts = [f"wholly {side} 0 at positions {words}" for side, words in (("above", above), ("below", below)) if words]
        return f"{head}: the band lies {' and '.join(parts)}."

    def entry(self) -> dict[str, Any]:
        """As results/fits.json holds it."""
        return {
            "size": self.size,
            "first_run_ids": [run.record.run_id for run in self.first],
            "second_run_ids": [run.record.run_id for run in self.second],
            "first_label": self.first_label,
            "second_label": self.second_label,
            "sentence": self.sentence,
            "bins": self.curve.entries("difference_nats"),
        }


def position_differences(
    first: Sequence[PositionLosses], second: Sequence[PositionLosses], *, weights_D: np.ndarray, confidence: float = 0.95
) -> DifferenceCurve:
    """The first recipe's mean loss minus the second's in log bins of positions; every replicate leaves the same document out of both.

    Args:
        first: sums of one recipe's models, one per seed; all of the same documents in the same order.
        second: the same of the other recipe.
        weights_D: tokens of each document, (D,).
        confidence: that the limits hold in all bins at once; for these trained models, since only the documents are resampled.
    """
    bins = log_bins(first[0].context_tokens)
    first_RW, second_RW = (np.mean([window_means(losses, bins) for losses in models], axis=0) for models in (first, second))
    return DifferenceCurve(bins, simultaneous_band(first_RW - second_RW, confidence=confidence, weights_D=weights_D))


def paired_differences(measured: Measured) -> tuple[PairedDifference, ...]:
    """The best LSTM minus the best Transformer at every size that both have, and the shallowest LSTM minus the deepest at the largest.

    What the study lacks is left out. The best are chosen by validation loss (Ladder).
    """
    ladder = Ladder(measured)
    pairs: list[tuple[int, Cell, Cell]] = []
    for size in ladder.sizes:
        try:
            pairs.append((size, ladder.best("LSTM", size=size), ladder.best("Transformer", size=size)))
        except UntestableError:
            continue
    depths = [depth for depth in ladder.lstm_depths if measured.at(f"lstm-{depth}", size=ladder.largest)]
    if len(depths) > 1:
        pairs.append((ladder.largest, ladder.lstm(depths[0]), ladder.lstm(depths[-1])))
    labels = {run.record.run_id: series.label for series in fit_series(measured) for run in series.runs}
    found = []
    for size, first, second in pairs:
        curve = position_differences([run.losses for run in first], [run.losses for run in second], weights_D=measured.weights_D)
        found.append(PairedDifference(size, first, second, labels[first[0].record.run_id], labels[second[0].record.run_id], curve))
    return tuple(found)


def _listed(windows: Sequence[Window]) -> str:
    words = [f"{first}-{last}" if first < last else str(first) for first, last in windows]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
