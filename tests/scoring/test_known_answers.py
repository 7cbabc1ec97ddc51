"""Known answers: what the exact predictors are scored at is what theory says, within a simultaneous 99 % band over documents."""

import math

import numpy as np
import pytest
from scipy import stats
from synthetic_tokens import SYNTHETIC, small_tokens

from hf_ctxscale.analysis.bands import simultaneous_band
from hf_ctxscale.analysis.effective_context import effective_context
from hf_ctxscale.analysis.positions import PositionLosses, log_bins, window_means
from hf_ctxscale.analysis.verdicts import EPSILON_NATS
from hf_ctxscale.corpora import TABLE, Synthetic
from hf_ctxscale.data.blocks import StartWindows, WithinWindows
from hf_ctxscale.scoring.ablation import ablate_context
from hf_ctxscale.scoring.exact_predictors import ExactPredictor
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.scoring.token_losses import TokenLosses

CONTEXT = 128  # `copy` repeats 64 symbols
# Bins have narrower bands than the positions in them.
CURVE = [*((t, t) for t in range(1, CONTEXT + 1)), *log_bins(CONTEXT)]
ROUNDING_NATS = 1e-12  # a loss that is the same in every document has a band without width


def unigram_theory(source: Synthetic, num_seen: int) -> float:
    """Expected loss after some symbols: the one that comes has been seen n times, whose chance is beta-binomial."""
    num_symbols, alpha = source.num_symbols, source.alpha
    count = np.arange(num_seen + 1)
    probability = (count + alpha) / (num_seen + num_symbols * alpha)
    chance = stats.betabinom(num_seen, alpha, (num_symbols - 1) * alpha).pmf(count)
    return float(-num_symbols * (chance * probability * np.log(probability)).sum())


def markov_theory(source: Synthetic, context_tokens: int, *, num_chains: int = 8_000) -> np.ndarray:
    """Expected loss at every position, from simulated chains: the mean entropy of the prediction, whose error is far below that of a loss."""
    draw = np.random.default_rng(1)
    num_symbols, alpha = source.num_symbols, source.alpha
    rows_NVV = draw.standard_gamma(alpha, size=(num_chains, num_symbols, num_symbols))
    cumulative_NVV = np.cumsum(rows_NVV / rows_NVV.sum(axis=2, keepdims=True), axis=2)
    chain = np.arange(num_chains)
    symbol = draw.integers(num_symbols, size=num_chains)
    counts_NVV = np.zeros_like(rows_NVV)
    expected = []
    for _ in range(context_tokens):
        weights_NV = counts_NVV[chain, symbol] + alpha
        probability_NV = weights_NV / weights_NV.sum(axis=1, keepdims=True)
        expected.append(-(probability_NV * np.log(probability_NV)).sum(axis=1).mean())
        following = (draw.random((num_chains, 1)) > cumulative_NVV[chain, symbol][:, :-1]).sum(axis=1)
        counts_NVV[chain, symbol, following] += 1
        symbol = following
    return np.array(expected)


def theory(source: Synthetic, context_tokens: int) -> np.ndarray:
    """Best possible loss at positions 1..T."""
    if source.kind == "markov":
        return markov_theory(source, context_tokens)
    if source.kind == "unigram":
        return np.array([unigram_theory(source, t) for t in range(1, context_tokens + 1)])
    return np.where(np.arange(1, context_tokens + 1) < source.copy_tokens, math.log(source.num_symbols), 0.0)


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Tokens and exact predictor by name of the corpus."""
    folder = tmp_path_factory.mktemp("known")
    small = {"num_documents": (5, 5, 600), "document_tokens": 260}
    found = {name: small_tokens(name, folder=folder / name, **small) for name in SYNTHETIC}
    return {name: (tokens, ExactPredictor.from_pretrained(predictor)) for name, (tokens, predictor) in found.items()}


def _scored(tokens, model, windows) -> PositionLosses:
    documents = tokens.split("test").documents
    return score_model(model, windows, documents=documents, num_bytes_by_id=tokens.num_bytes_by_id, batch_blocks=64)


def _ablated(tokens, model, windows):
    return ablate_context(
        TokenLosses(model),
        windows,
        documents=tokens.split("test").documents,
        num_bytes_by_id=tokens.num_bytes_by_id,
        batch_blocks=64,
        wanted_std_error_nats=0.0,
    )


def _inside(expected_W, replicates_RW) -> bool:
    return _within(simultaneous_band(replicates_RW, confidence=0.99), expected_W)


def _within(band, expected_W) -> bool:
    return bool(((expected_W >= band.low_W - ROUNDING_NATS) & (expected_W <= band.high_W + ROUNDING_NATS)).all())


def _means(expected_T: np.ndarray, windows) -> np.ndarray:
    return np.array([expected_T[low - 1 : high].mean() for low, high in windows])


def test_the_closed_form_of_the_unigram_loss_is_what_simulated_documents_lose():
    source = Synthetic("unigram", num_symbols=4, alpha=0.5, document_tokens=13, num_documents=(0, 0, 0))
    draw = np.random.default_rng(2)
    shares_NV = draw.dirichlet(np.full(4, 0.5), size=200_000)
    probability_NV = (draw.multinomial(12, shares_NV) + 0.5) / (12 + 4 * 0.5)
    losses_N = -(shares_NV * np.log(probability_NV)).sum(axis=1)
    assert unigram_theory(source, 12) == pytest.approx(losses_N.mean(), abs=4 * losses_N.std() / 200_000**0.5)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_theory_lies_inside_the_band_at_every_position_from_the_documents_start(name, corpora):
    tokens, model = corpora[name]
    losses = _scored(tokens, model, StartWindows(tokens.split("test"), CONTEXT))
    assert _inside(_means(theory(TABLE[name].synthetic, CONTEXT), CURVE), window_means(losses, CURVE))


@pytest.mark.parametrize("name", ["dirichlet-unigram", "copy"])
def test_theory_lies_inside_the_band_anywhere_in_a_document_where_the_source_is_stationary(name, corpora):
    tokens, model = corpora[name]
    windows = WithinWindows(tokens.split("test"), CONTEXT, max_windows_per_document=1, seed=0)
    assert _inside(_means(theory(TABLE[name].synthetic, CONTEXT), CURVE), window_means(_scored(tokens, model, windows), CURVE))


def test_theory_of_another_source_falls_outside_the_band(corpora):
    """The band is narrow enough to tell a source from one that is a little different."""
    tokens, model = corpora["dirichlet-unigram"]
    losses = _scored(tokens, model, StartWindows(tokens.split("test"), CONTEXT))
    band = simultaneous_band(window_means(losses, CURVE), confidence=0.99)
    for alpha in (0.4, 0.6):
        other = Synthetic("unigram", num_symbols=16, alpha=alpha, document_tokens=260, num_documents=(0, 0, 0))
        assert not _within(band, _means(theory(other, CONTEXT), CURVE))


@pytest.mark.parametrize("name", ["dirichlet-unigram", "copy"])
def test_position_curve_and_ablation_agree_on_a_stationary_source(name, corpora):
    """A cut to k tokens predicts as well as position k does, and both as well as theory says."""
    tokens, model = corpora[name]
    windows = WithinWindows(tokens.split("test"), CONTEXT, max_windows_per_document=1, seed=0)
    losses, ablation = _scored(tokens, model, windows), _ablated(tokens, model, windows)
    ranges = [(cut.context_from, cut.context_to) for cut in ablation.record.cuts]
    positions_RW = window_means(losses, ranges)
    cuts_RW = window_means(ablation.losses.aligned_to(losses.documents), [(column, column) for column in range(1, len(ranges) + 1)])
    assert len(ranges) == 8
    assert _inside(np.zeros(len(ranges)), positions_RW - cuts_RW)
    assert _inside(_means(theory(TABLE[name].synthetic, CONTEXT), ranges), cuts_RW)


def test_the_effective_context_of_a_copy_is_the_length_of_its_string(corpora):
    """With 32 tokens nothing is known of the next, with 64 all: the excess falls from ln 16 to 0 between these cuts, and is 0.02 just below 64."""
    tokens, model = corpora["copy"]
    ablation = _ablated(tokens, model, WithinWindows(tokens.split("test"), CONTEXT, max_windows_per_document=1, seed=0))
    found = effective_context(ablation.losses, cuts=[cut.context_tokens for cut in ablation.record.cuts])
    expected = 64 * 2 ** (-EPSILON_NATS / math.log(16))
    assert (found.low, found.tokens, found.high) == (32, pytest.approx(expected), pytest.approx(expected))
    assert (found.verdict, found.censored, found.high_censored) == ("measured", False, False)
