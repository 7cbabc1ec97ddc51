"""SizeLine: loss against size of one line, a series of a study or of a table, under both laws; and where two such lines cross."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.crossover import find_crossover
from hf_ctxscale.analysis.fit_entries import Entry, curve_entries, data_curves, law_entry, point_entries
from hf_ctxscale.analysis.laws.law_fit import LawFit
from hf_ctxscale.paper import ALPHA_N, JOINT

BODY = "body_params"  # what the paper calls size
MIN_SIZES = 4  # of the law that levels off: both lines have to bend for the place where they cross to mean more than their slopes


@dataclass(frozen=True)
class SizeLine:
    """One line on one axis of size.

    Attributes:
        name: of the series.
        label: for charts.
        words: for sentences.
        x: what size is, a key of crossover.X_WORDS.
        x_P: sizes.
        paper_law: (N_c/N)^alpha.
        offset_law: E + A·N^-alpha.
        x_words: what sentences call size; None: as crossover.X_WORDS has it.
    """

    name: str
    label: str
    words: str
    x: str
    x_P: np.ndarray
    paper_law: LawFit
    offset_law: LawFit
    x_words: str | None = None

    def entries(self, points: Sequence[Entry]) -> list[Entry]:
        """Both laws as fits.json holds them, without the words for the series.

        Args:
            points: ids and losses, in the order of ``x_P``.
        """
        return [
            {
                "x": self.x,
                **law_entry(law),
                "points": point_entries(
                    [{"run_id": None, "x": x} | point for x, point in zip(self.x_P.tolist(), points, strict=True)], fit=law
                ),
                "curve": curve_entries(law, self.x_P),
                "paper": {"alpha": ALPHA_N} if law is self.paper_law and self.x == BODY else None,
            }
            for law in (self.paper_law, self.offset_law)
        ]

    @property
    def num_sizes(self) -> int:
        """Different sizes."""
        return len(np.unique(self.x_P))


def crossover_entry(first: SizeLine, second: SizeLine) -> Entry:
    """Which of two lines is lower, and where that changes, as fits.json holds it; never beyond what both have measured.

    By the law that levels off where both lines have sizes enough for it, by the paper's otherwise.
    """
    laws = [(first.offset_law, second.offset_law), (first.paper_law, second.paper_law)]
    enough = min(first.num_sizes, second.num_sizes) >= MIN_SIZES and all(len(law.values_RK) for law in laws[0])
    low, high = max(first.x_P.min(), second.x_P.min()), min(first.x_P.max(), second.x_P.max())
    found = find_crossover(
        *laws[0 if enough else 1],
        overlap=(float(low), float(high)) if low < high else None,
        first_label=first.words,
        second_label=second.words,
        x=first.x,
        x_words=first.x_words,
    )
    return {**found.entry(), "first": first.name, "second": second.name, "first_label": first.label, "second_label": second.label}


def size_and_data_entry(law: LawFit, points: Sequence[Entry], *, n_P: np.ndarray, d_P: np.ndarray) -> Entry:
    """A law of size and data as fits.json holds it, without the words for its series.

    Args:
        points: ids and losses, in the order of ``n_P`` and ``d_P``.
    """
    at = [{"run_id": None, "n": n, "d": d} | point for n, d, point in zip(n_P.tolist(), d_P.tolist(), points, strict=True)]
    paper = {name: JOINT[name] for name in ("alpha_n", "alpha_d")} if "alpha_n" in law.params else None
    return {**law_entry(law), "points": point_entries(at, fit=law), "curves": data_curves(law, n_P, d_P), "paper": paper}
