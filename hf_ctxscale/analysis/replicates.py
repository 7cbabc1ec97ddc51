"""Replicates: what a study would have measured on other documents, and with other seeds; every interval of a fit or a claim comes from them.

Documents are crossed with runs, not nested in them: every replicate draws one resample of documents that all runs share.

Letters: B replicates, R = 1 + B rows (row 0 is the data), P runs, D documents, W windows of positions, N runs of cells with several seeds.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import scipy

from hf_ctxscale.analysis.bootstrap import NUM_RESAMPLES, shared_resamples
from hf_ctxscale.analysis.estimates import Estimate, degrees_of_freedom, no_estimate
from hf_ctxscale.analysis.known_variances import delete_one_variances, shared, smoothed, weighable
from hf_ctxscale.analysis.measured import Measured, MeasuredRun
from hf_ctxscale.analysis.positions import PositionLosses, Window, window_means, window_sums

FURTHEST_LOG = 20.0  # of a replicate's loss from the measured one: a factor that no interval is read off at


@dataclass(frozen=True)
class SeedSpread:
    """How much a run's loss over all positions differs from seed to seed, pooled over series, sizes and budgets."""

    std_nats: float
    degrees_of_freedom: int


@dataclass(frozen=True, eq=False)
class Replicates:
    """The losses of a study's runs as measured (row 0) and in every replicate; made by `draw_replicates`.

    A deviation over documents is stretched by the t scale of their degrees of freedom, one draw per replicate for all runs, so that plain
    percentiles have the width of a t interval. A deviation between seeds is drawn for every run from the pooled covariance of the windows,
    less what the documents make of it, and stretched in the same way. Both act on the logarithm of the loss, so that no replicate is negative.
    """

    measured: Measured
    num_replicates: int
    seed: int
    pool: tuple[tuple[MeasuredRun, ...], ...]  # the cells with two seeds or more
    streams: tuple[int, ...]  # which random numbers belong to each run

    @property
    def covers(self) -> Literal["documents and seeds", "documents"]:
        """What the replicates vary; documents alone: conditional on these trained models."""
        return "documents and seeds" if self.pool else "documents"

    @property
    def seed_spread(self) -> SeedSpread | None:
        """Of the loss over all positions; None where no cell has a second seed."""
        if not self.pool:
            return None
        (variance,) = self._seed_variances([(1, self.measured.context_tokens)])
        return SeedSpread(math.sqrt(variance), self._seed_freedom)

    def only(self, measured: Measured) -> "Replicates":
        """The same draws for some of the runs; the spread between seeds stays that of all."""
        if measured is self.measured:
            return self
        stream = {run.record.run_id: stream for run, stream in zip(self.measured.runs, self.streams, strict=True)}
        return replace(self, measured=measured, streams=tuple(stream[run.record.run_id] for run in measured.runs))

    def losses(self, windows: Sequence[Window]) -> np.ndarray:
        """Mean losses of every run over windows, (R, P, W) in nats per token.

        NaN where no document of the resample has a token in the window.
        """
        values_RPW = np.empty((1 + self.num_replicates, len(self.measured.runs), len(windows)))
        residuals_NW = self._seed_residuals(windows)
        # One run at a time keeps the memory small.
        for p, run in enumerate(self.measured.runs):
            values_RW = _resampled_means(run.losses, windows, counts_RD=self._counts_RD)
            values_RPW[0, p] = values_RW[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                log_ratio_BW = np.log(values_RW[1:]) - np.log(values_RW[0])
                deviation_BW = log_ratio_BW * self._document_stretch_B[:, None]
                if self.pool:
                    deviation_BW += self._seed_deviations(p, residuals_NW) / values_RW[0]
            # Student's t of one degree of freedom goes so far out that a loss would become 0 or infinite.
            factor_BW = np.exp(np.clip(deviation_BW, -FURTHEST_LOG, FURTHEST_LOG))
            # A loss of exactly 0 has no logarithm, and stays 0 in every resample.
            values_RPW[1:, p] = np.where(values_RW[0] == 0, 0.0, values_RW[0] * factor_BW)
        return values_RPW

    def run_variances(self, window: Window) -> np.ndarray:
        """Known variances of the runs' losses over a window with what is common to all runs taken out, (P,) in nats².

        The documents move all runs alike, which says nothing of the shape of a curve through them: of the logarithm of the losses, that of
        the mean over runs is taken out. The variance between seeds is added. Runs of one size and number of training tokens share the mean of
        their relative variances. For the weights of a fit over sizes.
        """
        loss_RP = np.concatenate([window_means(run.losses, [window]) for run in self.measured.runs], axis=1)
        log_RP = np.log(loss_RP)
        variance_P = delete_one_variances(log_RP - log_RP.mean(axis=1, keepdims=True)) * loss_RP[0] ** 2
        variance_P = weighable(variance_P + self._seed_variances([window])[0], level=loss_RP[0])
        settings = [(run.record.target_body_params, run.record.train_tokens) for run in self.measured.runs]
        return shared(variance_P / loss_RP[0] ** 2, groups=settings) * loss_RP[0] ** 2

    def window_variances(self, run_index: int, windows: Sequence[Window]) -> np.ndarray:
        """Known variances of one run's losses over windows with what is common to all windows taken out, (W,) in nats².

        Smoothed over the windows by their numbers of tokens. For the weights of a fit over positions.
        """
        losses = self.measured.runs[run_index].losses
        loss_RW = window_means(losses, windows)
        variance_W = delete_one_variances(loss_RW - loss_RW.mean(axis=1, keepdims=True))
        num_tokens_W = np.array([losses.num_tokens[:, first - 1 : last].sum() for first, last in windows])
        return weighable(smoothed(variance_W, num_tokens_W=num_tokens_W), level=loss_RW[0])

    @cached_property
    def _counts_RD(self) -> np.ndarray:
        num_documents = len(self.measured.documents)
        counts_BD = shared_resamples(num_documents, num_resamples=self.num_replicates, seed=self.seed)
        return np.concatenate([np.ones((1, num_documents)), counts_BD])

    @cached_property
    def _document_stretch_B(self) -> np.ndarray:
        num_documents = len(self.measured.documents)
        if num_documents < 2:
            return np.ones(self.num_replicates)
        # Resamples of D documents vary by (D-1)/D of the variance.
        freedom = degrees_of_freedom(num_documents, weights_D=self.measured.weights_D)
        return math.sqrt(num_documents / (num_documents - 1)) * self._t_scale("documents", freedom)

    @cached_property
    def _seed_stretch_B(self) -> np.ndarray:
        return self._t_scale("seeds", self._seed_freedom)

    def _t_scale(self, of: Literal["documents", "seeds"], freedom: float) -> np.ndarray:
        """What makes a normal deviation one of Student's t, (B,)."""
        rng = np.random.default_rng([self.seed, 1 if of == "documents" else 2])
        return np.sqrt(freedom / rng.chisquare(freedom, self.num_replicates))

    @property
    def _seed_freedom(self) -> int:
        return sum(len(cell) - 1 for cell in self.pool)

    def _seed_residuals(self, windows: Sequence[Window]) -> np.ndarray:
        """Losses of the seeds about the mean of their cell, (N, W), over the root of the degrees of freedom.

        Seeds differ on a few documents by what is theirs and by what one makes of these documents. Resampling documents varies the second
        part already, so the residuals are made smaller by its share.
        """
        if not self.pool:
            return np.zeros((0, len(windows)))
        cells = [np.stack([window_means(run.losses, windows) for run in cell]) for cell in self.pool]
        residual_NRW = np.concatenate([cell_SRW - cell_SRW.mean(axis=0) for cell_SRW in cells]) / math.sqrt(self._seed_freedom)
        between_W = np.square(residual_NRW[:, 0]).sum(axis=0)
        of_documents_W = np.sum([delete_one_variances(residual_RW) for residual_RW in residual_NRW], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share_W = np.where(between_W > 0, np.maximum(1 - of_documents_W / between_W, 0.0), 0.0)
        residuals_NW: np.ndarray = residual_NRW[:, 0] * np.sqrt(share_W)
        return residuals_NW

    def _seed_deviations(self, run_index: int, residuals_NW: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([self.seed, 3, self.streams[run_index]])
        normal_BN = rng.standard_normal((self.num_replicates, len(residuals_NW)))
        deviations_BW: np.ndarray = normal_BN @ residuals_NW * self._seed_stretch_B[:, None]
        return deviations_BW

    def _seed_variances(self, windows: Sequence[Window]) -> np.ndarray:
        variances_W: np.ndarray = np.square(self._seed_residuals(windows)).sum(axis=0)
        return variances_W


def draw_replicates(measured: Measured, *, num_replicates: int = NUM_RESAMPLES, seed: int = 0) -> Replicates:
    """Replicates of all runs of a study; the same seed gives the same ones."""
    assert num_replicates >= 1, num_replicates
    cells: dict[tuple[str, int, int], list[MeasuredRun]] = defaultdict(list)
    for run in measured.runs:
        cells[run.record.series, run.record.target_body_params, run.record.train_tokens].append(run)
    pool = tuple(tuple(cell) for cell in cells.values() if len(cell) > 1)
    return Replicates(measured, num_replicates, seed, pool, tuple(range(len(measured.runs))))


def percentile_estimate(values_R: np.ndarray, *, confidence: float = 0.95, num_documents: int) -> Estimate:
    """A statistic of the replicates as a value with a percentile interval.

    Args:
        values_R: the statistic of the data, then of every replicate, (1 + B,); infinities are allowed.
        confidence: of the two-sided interval.
        num_documents: that it rests on.

    Returns:
        the estimate; its standard error is half of the middle 68.3 % of the replicates, since a t scale of few degrees of freedom has no
        variance.
    """
    assert 0 < confidence < 1, confidence
    value, replicates_B = float(values_R[0]), values_R[1:]
    if not math.isfinite(value):
        return no_estimate("no document has a token there", confidence=confidence, num_documents=num_documents)
    if num_documents < 2:
        return no_estimate("one document: no interval is possible", value=value, confidence=confidence, num_documents=num_documents)
    missing = np.isnan(replicates_B).mean() if len(replicates_B) else 1.0
    if missing:
        reason = f"{missing:.1%} of the replicates give no value: it rests on too few documents".replace("%", " %")
        return no_estimate(reason, value=value, confidence=confidence, num_documents=num_documents)
    # Values that occurred, not values between two of them: there is nothing halfway to infinity.
    low, lower = np.quantile(replicates_B, [(1 - confidence) / 2, scipy.stats.norm.cdf(-1)], method="lower")
    upper, high = np.quantile(replicates_B, [scipy.stats.norm.cdf(1), (1 + confidence) / 2], method="higher")
    return Estimate(value, float(low), float(high), float(upper - lower) / 2, confidence, num_documents)


def _resampled_means(losses: PositionLosses, windows: Sequence[Window], *, counts_RD: np.ndarray) -> np.ndarray:
    """Ratios of weighted sums, so that every token weighs the same, (R, W)."""
    assert all(1 <= first <= last <= losses.context_tokens for first, last in windows), windows
    sums_DW, tokens_DW = (window_sums(array_DT, windows).astype(np.float64) for array_DT in (losses.loss_sum_nats, losses.num_tokens))
    with np.errstate(divide="ignore", invalid="ignore"):
        means_RW: np.ndarray = (counts_RD @ sums_DW) / (counts_RD @ tokens_DW)
    return means_RW
