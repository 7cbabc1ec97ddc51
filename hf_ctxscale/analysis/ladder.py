"""Ladder: which runs of a study the claims compare: the sizes that both families finished, and the best depth by validation loss."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.measured import Measured, MeasuredRun, validation_loss
from hf_ctxscale.architectures import TABLE

Family = Literal["LSTM", "Transformer"]
Cell = tuple[MeasuredRun, ...]  # the runs of one series at one size: one per seed

MATCHED_SIZE = 1.03  # ratio of two sizes that count as equal: as near as families are matched by default


class UntestableError(Exception):
    """The study does not hold what a claim needs; the message says what. Ends as an undecided claim, never as a traceback."""


def family_of(architecture: str) -> Family | None:
    """The figure's family: its recurrent one is the LSTM, its Transformers are the table's entries with attention."""
    if architecture == "lstm":
        return "LSTM"
    return "Transformer" if architecture in TABLE and TABLE[architecture].attention else None


@dataclass(frozen=True)
class Ladder:
    """The runs of a study by family, depth and size."""

    measured: Measured

    @property
    def sizes(self) -> tuple[int, ...]:
        """Target body parameters at which every family that the study has measured is there, small to large; never empty."""
        by_family: dict[Family, set[int]] = {}
        for run in self.measured.runs:
            if family := family_of(run.record.architecture):
                by_family.setdefault(family, set()).add(run.record.target_body_params)
        if not by_family:
            return tuple(sorted({run.record.target_body_params for run in self.measured.runs}))
        shared = set.intersection(*by_family.values()) or set.union(*by_family.values())
        return tuple(sorted(shared))

    @property
    def largest(self) -> int:
        """The size that claims about one size are about."""
        return self.sizes[-1]

    @property
    def families(self) -> set[Family]:
        """Those of which a run is finished and scored."""
        return {family for run in self.measured.runs if (family := family_of(run.record.architecture))}

    def size_words(self, size: int) -> str:
        """A size for a sentence; of the largest it says so, and whether a larger one was planned."""
        if size != self.largest:
            return f"{size:,} body parameters"
        compared = [run for run in self.measured.planned if family_of(run.architecture)] or self.measured.planned
        planned = max(run.target_body_params for run in compared)
        which = "the largest size" if planned == self.largest else f"the largest that every family finished; {planned:,} is planned"
        return f"{size:,} body parameters ({which})"

    @property
    def growth_words(self) -> str:
        """From the smallest size to the largest, for a sentence that sets one against the other; with the training tokens where they differ."""
        if len(self.sizes) < 2:
            return "with size"
        tokens = {run.record.target_body_params: run.record.train_tokens for run in self.measured.runs}
        first, last = tokens[self.sizes[0]], tokens[self.largest]
        more = "" if first == last else f" (and from {first / 1e6:.1f} to {last / 1e6:.1f} million training tokens)"
        return f"from {self.sizes[0]:,} to {self.largest:,} body parameters{more}"

    @property
    def lstm_depths(self) -> tuple[int, ...]:
        """Depths of the study's LSTMs, failed and waiting ones too."""
        return tuple(sorted({run.num_layers for run in self.measured.planned if family_of(run.architecture) == "LSTM"}))

    def lstm(self, num_layers: int) -> Cell:
        """The LSTMs of a depth at the largest size.

        Raises:
            UntestableError: there are none.
        """
        cell = self.measured.at(f"lstm-{num_layers}", size=self.largest)
        if not cell:
            raise UntestableError(f"no {num_layers}-layer LSTM of {self.largest:,} body parameters is finished and scored")
        return cell

    def best(self, family: Family, *, size: int) -> Cell:
        """The family's series with the lowest validation loss at a size. The test documents have no say in it.

        Raises:
            UntestableError: there is none, or none can be chosen.
        """
        names = sorted({run.record.series for run in self.measured.runs if family_of(run.record.architecture) == family})
        cells = [cell for cell in (self.measured.at(name, size=size) for name in names) if cell]
        if not cells:
            raise UntestableError(f"no {family} of {size:,} body parameters is finished and scored")
        losses = [validation_loss([run.record for run in cell]) for cell in cells]
        if len(cells) > 1 and not np.isfinite(min(losses)):
            raise UntestableError(f"the best {family} of {size:,} body parameters cannot be chosen: no validation loss is recorded")
        return cells[losses.index(min(losses))]

    def around_total(self, series: str, *, total: int) -> tuple[Cell, Cell] | None:
        """The neighbouring sizes of a series between which a number of parameters in total lies; None outside of its measured range.

        A total next to an end of the range, as near as sizes are matched, is taken for that end: its cell comes twice.
        """
        sizes = {run.record.target_body_params for run in self.measured.series.get(series, ())}
        cells = sorted((self.measured.at(series, size=size) for size in sizes), key=lambda cell: cell[0].record.params.total)
        for below, over in pairwise(cells):
            if below[0].record.params.total <= total <= over[0].record.params.total:
                return below, over
        ends = [cell for cell in cells[:1] + cells[-1:] if abs(math.log(total / cell[0].record.params.total)) <= math.log(MATCHED_SIZE)]
        return (ends[0], ends[0]) if ends else None

    def best_words(self, family: Family, *, size: int) -> str:
        """The family with its chosen depth, for a sentence: ``the best LSTM (2 layers)``."""
        try:
            num_layers = self.best(family, size=size)[0].record.num_layers
        except UntestableError:
            return f"the best {family}"
        return f"the best {family} ({num_layers} layer{'s' if num_layers > 1 else ''})"
