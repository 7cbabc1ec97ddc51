"""Simulated scores whose true loss is known: documents of lognormal length that differ far more than the windows inside them.

The truth is what the intervals are for: the ratio of the expected sums, in which every window weighs the same.

Letters: D documents, T context positions, K cuts of the context, S seeds.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hf_ctxscale.analysis.sums import PositionLosses

CONTEXT_TOKENS = 512
CUTS = tuple(2**k for k in range(10))
MEDIAN_WINDOWS = 6
LENGTH_SIGMA = 1.0
# Standard deviations in nats per token.
DOCUMENT_SD = 0.4  # level of a document
SLOPE_SD = 0.05  # how much more one document gains over the whole context than another
WINDOW_SD = 0.2  # level of a window
TOKEN_SD = 2.0
OWN_DOCUMENT_SD = 0.1  # what a second model makes of a document, beside what both share
SHARED_TOKEN = 0.9  # correlation of two models' losses of a token
LENGTH_SLOPE = -0.05  # nats per unit of ln(length): longer documents are a little easier
BYTES_PER_TOKEN = (4.0, 0.5)  # mean and standard deviation over documents
SEED_SD = 0.02  # between training seeds: Kaplan et al. 2020, section 4
SEED_DOCUMENT_SD = 0.03  # between seeds, document by document
# Of the ablation.
TARGETS_PER_SEGMENT = 64
MAX_SEGMENTS = 8
EXCESS_SPREAD = 0.5  # sigma of the lognormal factor by which a document gains more or less from context
CUT_SD = 0.01  # document's own excess, added with every doubling
CUT_TOKEN_SD = 0.5  # the same, token by token


@dataclass(frozen=True)
class Lengths:
    """Windows per document: lognormal, rounded, at least one and at most ``max_windows``."""

    max_windows: int | None

    def draw(self, rng: np.random.Generator, num_documents: int) -> np.ndarray:
        """(D,) int64."""
        windows_D = np.maximum(np.rint(MEDIAN_WINDOWS * np.exp(rng.normal(0, LENGTH_SIGMA, num_documents))), 1).astype(np.int64)
        return windows_D if self.max_windows is None else np.minimum(windows_D, self.max_windows)

    def mean_level(self) -> float:
        """What the lengths do to the expected loss, in nats, where every window weighs the same."""
        values = np.arange(1, (self.max_windows or 20_000) + 1)
        below = stats.norm.cdf(np.log((values + 0.5) / MEDIAN_WINDOWS) / LENGTH_SIGMA)
        below[-1] = 1.0
        probabilities = np.diff(below, prepend=0.0)
        weights = probabilities * values
        return float(weights @ length_level(values) / weights.sum())


def length_level(num_windows: np.ndarray) -> np.ndarray:
    """Nats by which the documents of a length differ from those of median length."""
    return LENGTH_SLOPE * np.log(num_windows / MEDIAN_WINDOWS)


def curve(model: int) -> np.ndarray:
    """Expected loss of a document of median length by position, (T,), of the first or second model."""
    t = np.arange(1, CONTEXT_TOKENS + 1.0)
    return (2.4 + 3.2 * t**-0.47, 2.5 + 2.8 * t**-0.55)[model]


def draw_scores(rng: np.random.Generator, lengths: Lengths, num_documents: int) -> tuple[PositionLosses, PositionLosses]:
    """Two models' losses of the same documents."""
    windows_D = lengths.draw(rng, num_documents)
    tokens_DT = np.repeat(windows_D[:, None], CONTEXT_TOKENS, axis=1)
    bytes_D = np.maximum(np.rint(windows_D * rng.normal(*BYTES_PER_TOKEN, num_documents)), 1).astype(np.int64)
    bytes_DT = np.repeat(bytes_D[:, None], CONTEXT_TOKENS, axis=1)
    along_T = np.log(np.arange(1, CONTEXT_TOKENS + 1)) / math.log(CONTEXT_TOKENS) - 0.5
    root_D = np.sqrt(windows_D)  # the sum over windows of independent values
    level_D = length_level(windows_D) + rng.normal(0, DOCUMENT_SD, num_documents)
    slope_D = rng.normal(0, SLOPE_SD, num_documents)
    window_D = root_D * rng.normal(0, WINDOW_SD, num_documents)
    token_DT = rng.standard_normal(tokens_DT.shape)
    models = []
    for model in (0, 1):
        own_D = rng.normal(0, OWN_DOCUMENT_SD, num_documents) if model else np.zeros(num_documents)
        own_DT = rng.standard_normal(tokens_DT.shape)
        noise_DT = TOKEN_SD * root_D[:, None] * (math.sqrt(SHARED_TOKEN) * token_DT + math.sqrt(1 - SHARED_TOKEN) * own_DT)
        sums_DT = windows_D[:, None] * (curve(model) + (level_D + own_D)[:, None] + slope_D[:, None] * along_T)
        sums_DT += window_D[:, None] + noise_DT
        models.append(PositionLosses(tuple(map(str, range(num_documents))), windows_D, tokens_DT, bytes_DT, sums_DT))
    return models[0], models[1]


def draw_seeds(rng: np.random.Generator, lengths: Lengths, num_documents: int, *, num_seeds: int) -> tuple[np.ndarray, ...]:
    """Two families' mean losses by document, trained with several seeds each.

    Returns:
        Windows of each document, (D,); mean losses by family and seed, (2, S, D); what each seed adds to them everywhere, (2, S).
        The expected loss of both families on a document of median length is 3 nats.
    """
    windows_D = lengths.draw(rng, num_documents)
    level_D = length_level(windows_D) + rng.normal(0, DOCUMENT_SD, num_documents)
    seed_FS = rng.normal(0, SEED_SD, (2, num_seeds))
    family_FD = rng.normal(0, OWN_DOCUMENT_SD / math.sqrt(2), (2, num_documents))
    own_FSD = rng.normal(0, SEED_DOCUMENT_SD, (2, num_seeds, num_documents))
    window_D = rng.normal(0, WINDOW_SD, num_documents) / np.sqrt(windows_D)
    return windows_D, 3.0 + level_D + window_D + family_FD[:, None] + seed_FS[:, :, None] + own_FSD, seed_FS


def excess_curve(scale_nats: float, exponent: float) -> np.ndarray:
    """Expected excess over the whole context at every cut, (K,): a power law of the context."""
    k = np.array(CUTS, dtype=np.float64)
    return scale_nats * (k**-exponent - k[-1] ** -exponent)


def draw_ablations(rng: np.random.Generator, lengths: Lengths, num_documents: int, excess_MK: np.ndarray) -> list[PositionLosses]:
    """Losses by cut of models with these expected excesses, (M, K), on the same documents and targets."""
    windows_D = lengths.draw(rng, num_documents)
    targets_D = TARGETS_PER_SEGMENT * np.minimum(windows_D, MAX_SEGMENTS)
    targets_DK = np.repeat(targets_D[:, None], len(CUTS), axis=1)
    level_D = length_level(windows_D) + rng.normal(0, DOCUMENT_SD, num_documents)
    factor_D = np.exp(rng.normal(-(EXCESS_SPREAD**2) / 2, EXCESS_SPREAD, num_documents))
    models = []
    for excess_K in excess_MK:
        steps_DK = rng.normal(0, CUT_SD, targets_DK.shape) + rng.normal(0, CUT_TOKEN_SD, targets_DK.shape) / np.sqrt(targets_DK)
        # Added up from the whole context to the shortest; the whole context itself is what the others are set against.
        steps_DK[:, -1] = 0.0
        walk_DK = steps_DK[:, ::-1].cumsum(axis=1)[:, ::-1]
        loss_DK = 3.0 + level_D[:, None] + factor_D[:, None] * excess_K + walk_DK
        documents = tuple(map(str, range(num_documents)))
        models.append(PositionLosses(documents, windows_D, targets_DK, 4 * targets_DK, targets_DK * loss_DK))
    return models
