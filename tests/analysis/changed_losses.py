"""Measured runs with other losses or fewer seeds."""

import dataclasses

import numpy as np

from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.positions import PositionLosses


def with_losses(measured: Measured, *losses: PositionLosses) -> Measured:
    """The same runs with other losses."""
    runs = tuple(dataclasses.replace(run, losses=own) for run, own in zip(measured.runs, losses, strict=True))
    return dataclasses.replace(measured, runs=runs, documents=losses[0].documents)


def without_seeds(measured: Measured) -> Measured:
    return dataclasses.replace(measured, runs=tuple(run for run in measured.runs if run.record.seed == 0))


def constant(loss_DW: np.ndarray) -> PositionLosses:
    """One token per document and position."""
    ones = np.ones(loss_DW.shape, dtype=np.int64)
    return PositionLosses(tuple(map(str, range(len(loss_DW)))), ones[:, 0], ones, ones, loss_DW)
