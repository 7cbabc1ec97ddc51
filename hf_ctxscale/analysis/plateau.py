"""judge_plateau: whether a model's loss levels off within its context or goes on as a power law, judged on documents that the fits have not seen.

Letters: D documents, W windows (bins) of positions, E those up to T/2, S splits of the documents into halves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from hf_ctxscale.analysis.estimates import leave_one_out
from hf_ctxscale.analysis.plateau_forms import FittedForms, Form, FormName, fit_form, plateau_bins, plateau_forms
from hf_ctxscale.analysis.positions import PositionLosses
from hf_ctxscale.analysis.verdicts import MIN_DOCUMENTS

PlateauVerdict = Literal["plateau", "power law", "undecided"]

MIN_BINS = 6  # up to T/2: the longest form has four parameters, and something is to be left to disagree with them
VARIANCE_FLOOR = 1e-6  # of the mean variance: no bin is known without error


@dataclass(frozen=True)
class Candidate:
    """One form, fitted to all documents, and how well its fits to halves of them predict the other halves.

    Attributes:
        form: its name.
        params: c, b, k of c + b·max(0, ln k - ln t); l_inf, a, alpha of l_inf + a·t^-alpha; with k where t stops at it. Nats and positions.
        score: generalised squared error per bin on the other half, mean over splits; less is better. A true form scores a little above 1:
            the noise of that half, and of the few parameters.
        score_std_error: of it.
        last_octave_score: squared error of the last octave, predicted from earlier positions, in units of its variance.
    """

    form: FormName
    params: dict[str, float]
    score: float
    score_std_error: float
    last_octave_score: float


@dataclass(frozen=True)
class Plateau:
    """Does the loss level off? Differences are the power law's score minus the best plateau form's: above 0 for a plateau, below for a law.

    Numbers are NaN, and ``candidates`` is empty, where the question could not be put; ``reason`` then says why.
    """

    candidates: tuple[Candidate, ...]
    best: FormName | None
    verdict: PlateauVerdict
    difference: float
    std_error: float
    last_octave_difference: float
    last_octave_std_error: float
    num_splits: int
    num_documents: int
    reason: str | None  # why it is undecided


def judge_plateau(losses: PositionLosses, *, num_splits: int = 20, seed: int = 0) -> Plateau:
    """Fits {flat after k, power law, power law that stops at k} on random halves of the documents and judges each on the other half.

    Two judges. The first takes the squared error over all bins, by the covariance of the bins. The second has the forms fitted up to T/2
    only and asks for the loss over the last octave. Both leave the level free: documents differ in it far more than in the shape, and it
    says nothing of whether a curve is flat. The verdict is the first judge's where the difference exceeds one standard error, unless the
    second says the opposite by more than one; everything else is undecided. Of 300 simulated models each (50 or 200 documents of 4 to 32
    windows, T 256 or 1,024, a fall of 0.2 to 0.6 nats, level or curved until T/8) plateaus were recognised in 48 to 100 % and a law of
    exponent 0.3 in 54 to 99 %; the opposite was said in at most 1 %, and in 4 % of those that stop at T/2, of 50 documents.

    Args:
        losses: one model's sums.
        num_splits: random halves.
        seed: of the splits; the same documents are split alike for every model.

    Source:
        Standard error over overlapping splits: Nadeau & Bengio 2003, "Inference for the generalization error", section 4 (corrected
        resampled t); halves of equal size, so its correction is 1/S + 1.
    """
    losses = losses.rows(np.flatnonzero(losses.num_tokens.any(axis=1)))
    bins = plateau_bins(losses.context_tokens)
    num_documents = len(losses.documents)
    reason = _obstacle(losses, bins=bins)
    if reason:
        return _nothing(reason, num_splits=num_splits, num_documents=num_documents)
    starts = [first - 1 for first, _ in bins]
    sums_DW, counts_DW = (np.add.reduceat(array, starts, axis=1).astype(np.float64) for array in (losses.loss_sum_nats, losses.num_tokens))
    # Half of the documents each; with an odd number, one document sits a split out.
    rng = np.random.default_rng(seed)
    order_SD = rng.permuted(np.tile(np.arange(num_documents), (num_splits, 1)), axis=1)
    half = num_documents // 2
    halves = (order_SD[:, :half], order_SD[:, half : 2 * half])
    with np.errstate(divide="ignore", invalid="ignore"):  # a half without a token in some bin
        fitted_SW, judged_SW = (sums_DW[index].sum(axis=1) / counts_DW[index].sum(axis=1) for index in halves)
    if not (np.isfinite(fitted_SW).all() and np.isfinite(judged_SW).all()):
        return _nothing("some bins rest on too few documents to be halved", num_splits=num_splits, num_documents=num_documents)

    judges = _Judges.of(sums_DW, counts_DW, num_early=sum(last <= losses.context_tokens // 2 for _, last in bins))
    forms = plateau_forms(losses.num_tokens.sum(axis=0), bins=bins)
    scores_FS = np.array([judges.shape_errors(form, fitted_SW, judged_SW=judged_SW) for form in forms])
    last_FS = np.array([judges.last_octave_errors(form, fitted_SW, judged_SW=judged_SW) for form in forms])
    mean_1W = (sums_DW.sum(axis=0) / counts_DW.sum(axis=0))[None]
    candidates = tuple(
        Candidate(form.name, _params(form, judges.fit(form, mean_1W)), *_mean_over_splits(scores_S), float(last_S.mean()))
        for form, scores_S, last_S in zip(forms, scores_FS, last_FS, strict=True)
    )
    return _verdict(candidates, scores_FS, last_FS=last_FS, num_documents=num_documents)


def _obstacle(losses: PositionLosses, *, bins: Sequence[tuple[int, int]]) -> str | None:
    num_documents, context_tokens = len(losses.documents), losses.context_tokens
    num_early = sum(last <= context_tokens // 2 for _, last in bins)
    if num_early < MIN_BINS:
        return f"this needs {MIN_BINS} bins of positions in the first half of the context; a context of {context_tokens} tokens has {num_early}"
    if num_documents < MIN_DOCUMENTS:
        return f"{num_documents} documents; this needs {MIN_DOCUMENTS}, since they are split into halves"
    if not losses.num_tokens.any(axis=0).all():
        return "some context positions hold no token"
    if not np.isfinite(losses.loss_sum_nats).all():
        return "some losses are not finite"
    return None


def _nothing(reason: str, *, num_splits: int, num_documents: int) -> Plateau:
    return Plateau((), None, "undecided", math.nan, math.nan, math.nan, math.nan, num_splits, num_documents, reason)


@dataclass(frozen=True)
class _Judges:
    """Weights of the fits, and the covariance that errors are measured by, of the difference between a half's means and its level."""

    weight_W: np.ndarray  # one over the variance
    cholesky_WW: np.ndarray  # of the covariance of one half's means, the level taken out
    late_W: np.ndarray  # shares of the bins in the last octave's mean, 0 before it
    num_early: int
    last_variance: float  # of one half's last octave minus its level up to T/2

    @classmethod
    def of(cls, sums_DW: np.ndarray, counts_DW: np.ndarray, *, num_early: int) -> "_Judges":
        num_documents = len(sums_DW)
        mean_RW = leave_one_out(sums_DW) / leave_one_out(counts_DW)
        level_R = leave_one_out(sums_DW.sum(axis=1, keepdims=True)) / leave_one_out(counts_DW.sum(axis=1, keepdims=True))
        # Jackknife deviations scaled so that their plain covariance is that of the mean over a half: twice that over all documents.
        scale = (num_documents - 1) * math.sqrt(2 / num_documents)
        shape_DW = scale * _centred((mean_RW - level_R)[1:])
        covariance_WW = shrunk_covariance(shape_DW)
        variance_W = np.diag(covariance_WW)
        floor = VARIANCE_FLOOR * variance_W.mean() or 1.0
        covariance_WW = covariance_WW + floor * np.eye(len(variance_W))
        weight_W = 1 / np.diag(covariance_WW)
        late_W = counts_DW.sum(axis=0)
        late_W[:num_early] = 0.0
        late_W /= late_W.sum()
        contrast_W = late_W - np.where(late_W > 0, 0.0, weight_W) / weight_W[:num_early].sum()
        last_variance = float((shape_DW @ contrast_W).var(ddof=1)) + floor
        return cls(weight_W, np.linalg.cholesky(covariance_WW), late_W, num_early, last_variance)

    def fit(self, form: Form, loss_SW: np.ndarray) -> FittedForms:
        return fit_form(loss_SW, basis_GW=form.basis_GW, weight_W=self.weight_W)

    def shape_errors(self, form: Form, fitted_SW: np.ndarray, *, judged_SW: np.ndarray) -> np.ndarray:
        """Generalised squared error per bin of the fits to one half on the other, its level free, (S,)."""
        residual_SW = judged_SW - self.fit(form, fitted_SW).values(form.basis_GW)
        white_WS = scipy.linalg.solve_triangular(self.cholesky_WW, residual_SW.T, lower=True)
        level_W = scipy.linalg.solve_triangular(self.cholesky_WW, np.ones(len(self.weight_W)), lower=True)
        white_WS -= level_W[:, None] * (level_W @ white_WS) / (level_W @ level_W)
        return np.square(white_WS).sum(axis=0) / (len(level_W) - 1)

    def last_octave_errors(self, form: Form, fitted_SW: np.ndarray, *, judged_SW: np.ndarray) -> np.ndarray:
        """Squared error of the other half's last octave, predicted by fits up to T/2 and set against its level up to T/2, (S,)."""
        early = slice(self.num_early)
        weight_E, early_GE = self.weight_W[early], form.basis_GW[:, early]
        fit = fit_form(fitted_SW[:, early], basis_GW=early_GE, weight_W=weight_E)
        level_S = (judged_SW[:, early] - fit.values(early_GE)) @ weight_E / weight_E.sum()
        late_S = judged_SW @ self.late_W - fit.values((form.basis_GW @ self.late_W)[:, None])[:, 0]
        return np.square(late_S - level_S) / self.last_variance


def shrunk_covariance(values_DW: np.ndarray) -> np.ndarray:
    """Covariance whose correlations are shrunk towards 0 by as much as they are uncertain; variances stay as they are.

    With about as many bins as documents the plain covariance has no inverse to speak of.

    Source:
        Schäfer & Strimmer 2005, "A shrinkage approach to large-scale covariance matrix estimation", table 2, target D, on correlations.
    """
    num_documents = len(values_DW)
    centred_DW = _centred(values_DW)
    std_W = np.sqrt(np.square(centred_DW).sum(axis=0) / (num_documents - 1))
    unit_DW = np.divide(centred_DW, std_W, out=np.zeros_like(centred_DW), where=std_W > 0)
    product_WW = unit_DW.T @ unit_DW / num_documents
    spread_WW = (np.square(unit_DW).T @ np.square(unit_DW) / num_documents - np.square(product_WW)) * num_documents**2
    correlation_WW = product_WW * num_documents / (num_documents - 1)
    between = ~np.eye(len(std_W), dtype=bool)
    uncertain, total = (spread_WW / (num_documents - 1) ** 3)[between].sum(), np.square(correlation_WW)[between].sum()
    shrinkage = min(1.0, uncertain / total) if total > 0 else 1.0
    shrunk_WW = np.where(between, (1 - shrinkage) * correlation_WW, 1.0)
    return shrunk_WW * np.outer(std_W, std_W)


def _centred(values_DW: np.ndarray) -> np.ndarray:
    return values_DW - values_DW.mean(axis=0)


def _mean_over_splits(values_S: np.ndarray) -> tuple[float, float]:
    """Mean, and its standard error where every split shares half of its documents with the others."""
    return float(values_S.mean()), math.sqrt((1 / len(values_S) + 1) * float(values_S.var(ddof=1)))


def _params(form: Form, fit: FittedForms) -> dict[str, float]:
    return form.params(best=int(fit.best_S[0]), c=float(fit.c_S[0]), b=float(fit.b_S[0]))


def _verdict(candidates: tuple[Candidate, ...], scores_FS: np.ndarray, *, last_FS: np.ndarray, num_documents: int) -> Plateau:
    names = [candidate.form for candidate in candidates]
    law = names.index("power law")
    flat = min((f for f in range(len(names)) if f != law), key=lambda f: candidates[f].score)
    difference, std_error = _mean_over_splits(scores_FS[law] - scores_FS[flat])
    last, last_error = _mean_over_splits(last_FS[law] - last_FS[flat])
    verdict: PlateauVerdict = "undecided"
    if abs(difference) <= std_error:
        reason = f"a tie: the scores differ by {difference:.2g}, standard error {std_error:.2g}"
    elif np.sign(difference) * last < -last_error:
        reason = (
            f"the judges disagree: the last octave, predicted from earlier positions, speaks for the {'law' if last < 0 else 'plateau'}"
        )
    else:
        verdict, reason = ("plateau" if difference > 0 else "power law"), None
    best = min(candidates, key=lambda candidate: candidate.score).form
    return Plateau(candidates, best, verdict, difference, std_error, last, last_error, scores_FS.shape[1], num_documents, reason)
