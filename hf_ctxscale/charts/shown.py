"""Shown: what of a study's tables a chart shows, and in which unit of loss."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.charts.chart_data import Band, Bars, Mark

SAME_FACTOR = 1e-6  # relative: factors nearer than this are one, rounded otherwise


@dataclass(frozen=True)
class LossUnit:
    """A unit of loss, and where the tables hold losses in it.

    Attributes:
        name: behind a number: ``nats``.
        on_axis: what losses by size are called on an axis.
        by_position: what losses by position are called on an axis.
        of_run: column of the table of runs; its interval is in the columns that end in _low and _high.
        of_bin: columns of the table of bins: value, low, high.
        per_nat: what a fitted law in nats is multiplied by; None where no one factor holds for all runs, and laws cannot be drawn.
        position_laws: whether laws of loss by position can be drawn: bytes per token differ from position to position.
    """

    name: str
    on_axis: str
    by_position: str
    of_run: str
    of_bin: tuple[str, str, str]
    per_nat: float | None
    position_laws: bool

    def interval_of_run(self, run: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """Both ends, of a row of the table of runs."""
        return run[f"{self.of_run}_low"], run[f"{self.of_run}_high"]


NATS = LossUnit(
    name="nats",
    on_axis="Test loss (nats per token)",
    by_position="Per-token test loss (nats)",
    of_run="loss_nats",
    of_bin=("loss_nats", "loss_low", "loss_high"),
    per_nat=1.0,
    position_laws=True,
)


def bits_per_byte_of(runs: Iterable[Mapping[str, Any]]) -> LossUnit:
    """Bits per byte, with the factor that turns nats per token into them where all runs share it, as on the same tokens they do.

    Args:
        runs: rows of the table of runs.
    """
    factors = [run["bits_per_byte"] / run["loss_nats"] for run in runs if run["loss_nats"] and run["bits_per_byte"] is not None]
    shared = bool(factors) and all(math.isclose(factor, factors[0], rel_tol=SAME_FACTOR) for factor in factors)
    return LossUnit(
        name="bits per byte",
        on_axis="Test loss (bits per byte)",
        by_position="Test loss (bits per byte)",
        of_run="bits_per_byte",
        of_bin=("bits_per_byte", "bits_per_byte_low", "bits_per_byte_high"),
        per_nat=factors[0] if shared else None,
        position_laws=False,
    )


@dataclass(frozen=True)
class Shown:
    """What a chart shows of its tables.

    Attributes:
        run_ids: the runs that are drawn; None: all. Colours and markers are those that a run has among all.
        unit: of losses.
        intervals: whether bars and bands are drawn.
    """

    run_ids: frozenset[str] | None = None
    unit: LossUnit = NATS
    intervals: bool = True

    def holds(self, run_id: str | None) -> bool:
        """Whether a run is drawn."""
        return self.run_ids is None or run_id in self.run_ids

    def marks(self, marks: Sequence[Mark]) -> tuple[Mark, ...]:
        """The marks without intervals where those are not drawn."""
        return tuple(mark for mark in marks if self.intervals or not isinstance(mark, (Band, Bars)))


ALL = Shown()
