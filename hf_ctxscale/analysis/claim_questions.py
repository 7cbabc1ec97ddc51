"""Question: what a claim asks of a study, before it is judged; and the replicates that answer it.

Letters: R = 1 + B replicates (row 0 is the data), P runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hf_ctxscale.analysis.ladder import Cell, Ladder
from hf_ctxscale.analysis.positions import Window
from hf_ctxscale.analysis.replicates import Replicates
from hf_ctxscale.analysis.verdicts import Rule

# A gap between recipes and an exponent hold beyond the trained models only where seeds are known to agree; a gain is one model's own.
Kind = Literal["gap", "exponent", "gain"]


@dataclass(frozen=True)
class Question:
    """A sentence about the figure, the rule that decides on it and how to measure it."""

    id: str
    claim: str
    kind: Kind
    rule: Rule
    measure: Callable[[], tuple[np.ndarray, Cell]]  # (R,) and the runs that it rests on; raises ladder.UntestableError
    unit: str = "nats"
    paper: float | None = None  # the paper's value of the same quantity


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of the cells of a ladder in every replicate; every run of a cell, that is every seed, weighs the same."""

    ladder: Ladder
    replicates: Replicates  # of the runs of the ladder
    _by_window: dict[Window, np.ndarray] = field(default_factory=dict, init=False)

    @property
    def everywhere(self) -> Window:
        """All positions."""
        return (1, self.ladder.measured.context_tokens)

    def of_runs(self, window: Window) -> np.ndarray:
        """Mean losses over a window, (R, P): P as in Measured.runs."""
        if window not in self._by_window:
            self._by_window[window] = self.replicates.losses([window])[:, :, 0]
        return self._by_window[window]

    def of(self, cell: Cell, window: Window) -> np.ndarray:
        """Mean loss of a cell over a window, (R,)."""
        mean_R: np.ndarray = self.of_runs(window)[:, self.columns(cell)].mean(axis=1)
        return mean_R

    def columns(self, runs: Cell) -> list[int]:
        """Where these runs stand among Measured.runs."""
        place = {run.record.run_id: p for p, run in enumerate(self.ladder.measured.runs)}
        return [place[run.record.run_id] for run in runs]

    def gap(self, window: Window, *, size: int) -> tuple[np.ndarray, Cell]:
        """Loss of the best LSTM minus that of the best Transformer at a size, (R,), and the runs that it rests on."""
        lstm, transformer = self.ladder.best("LSTM", size=size), self.ladder.best("Transformer", size=size)
        return self.of(lstm, window) - self.of(transformer, window), lstm + transformer
