"""Claims about loss along the context, put to made-up studies whose truth is known."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.positions import PositionLosses
from hf_ctxscale.analysis.replicates import draw_replicates

Curves = dict[str, Callable[..., np.ndarray]]


def claims_of(maker: Any) -> dict[str, Claim]:
    measured = load_measured(maker.study)
    return {claim.id: claim for claim in judge_claims(measured, draw_replicates(measured))}


def test_measured_values_are_the_differences_along_the_curves(figure: Any, curves: Curves) -> None:
    claims = claims_of(figure)
    lstm, transformer = curves["lstm"](200_000, 2), curves["transformer"](200_000)
    along = lstm - transformer
    expected = {
        "lstm_2_flat_beyond_64": lstm[64:128].mean() - lstm[128:].mean(),
        "transformer_gains_beyond_64": transformer[64:128].mean() - transformer[128:].mean(),
        "transformer_gains_in_last_octave": transformer[64:128].mean() - transformer[128:].mean(),
        "transformer_advantage_grows_along_context": along[128:].mean() - along[16:32].mean(),
    }
    for name, value in expected.items():
        assert claims[name].measured.value == pytest.approx(value, abs=2e-3)


def test_beyond_100_tokens_is_asked_where_the_context_is_long_enough(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000, context_tokens=400))
    maker.add("gpt2", 2, 200_000, curves["transformer"](200_000, context_tokens=400))
    claims = claims_of(maker)
    claim = claims["lstm_1_flat_beyond_100"]
    assert claim.verdict == "supported"
    assert claim.claim.endswith("is flat beyond 100 tokens of context: it loses the same at positions 101-200 and positions 201-400.")
    curve = curves["transformer"](200_000, context_tokens=400)
    last = claims["transformer_gains_in_last_octave"]
    assert last.measured.value == pytest.approx(curve[100:200].mean() - curve[200:].mean(), abs=2e-3)
    assert last.claim.endswith("it loses less at positions 201-400 than at positions 101-200.")


def test_below_400_tokens_it_is_not_asked(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["lstm"](200_000, context_tokens=399))
    assert "lstm_1_flat_beyond_100" not in claims_of(maker)


def test_an_lstm_that_gains_after_100_tokens_is_not_flat(maker: Any, curves: Curves) -> None:
    maker.add("lstm", 1, 200_000, curves["transformer"](200_000, context_tokens=512))
    claims = claims_of(maker)
    assert {claims[f"lstm_1_flat_beyond_{beyond}"].verdict for beyond in (64, 100)} == {"not supported"}


def test_documents_of_which_no_token_counted_are_no_clusters(maker: Any, make_losses: Callable[..., PositionLosses]) -> None:
    losses = make_losses(np.linspace(3.5, 3.0, 256), num_documents=25)
    counts = np.where(np.arange(25)[:, None] < 19, losses.num_tokens, 0)
    sums = np.where(counts > 0, losses.loss_sum_nats, 0.0)
    maker.add_run("lstm-1", "lstm", 1, 200_000)
    maker.add_score("score", dataclasses.replace(losses, num_tokens=counts, loss_sum_nats=sums), run_id="lstm-1")
    claim = claims_of(maker)["lstm_1_flat_beyond_64"]
    assert claim.measured.num_documents == 19
    assert claim.verdict == "undecided"


@pytest.mark.parametrize(("context_tokens", "along"), [(64, "tested"), (255, "tested"), (32, "undecided")])
def test_short_contexts_leave_what_they_cannot_show_undecided(maker: Any, curves: Curves, context_tokens: int, along: str) -> None:
    for seed in range(2):
        maker.add("lstm", 1, 200_000, curves["lstm"](200_000, context_tokens=context_tokens) + 0.01 * seed, seed=seed)
        maker.add("gpt2", 2, 200_000, curves["transformer"](200_000, context_tokens=context_tokens) + 0.01 * seed, seed=seed)
    claims = claims_of(maker)
    for name in ("lstm_1_flat_beyond_64", "transformer_gains_beyond_64"):
        assert claims[name].verdict == "undecided"
        assert claims[name].reason == f"the context gain needs a context of 256 tokens or more; this one has {context_tokens}"
    growth = claims["transformer_advantage_grows_along_context"]
    assert (growth.p_value is not None) == (along == "tested")
    late = f"positions {context_tokens // 2 + 1}-{context_tokens}" if along == "tested" else "the end of a longer context"
    assert growth.claim.endswith(f"is larger at {late} than at positions 17-32."), "what was measured, and nothing else"
    assert claims["transformer_gains_in_last_octave"].verdict == "supported"


def test_a_context_of_one_token_has_no_octaves(maker: Any) -> None:
    maker.add("gpt2", 2, 200_000, np.array([3.0]))
    assert claims_of(maker)["transformer_gains_in_last_octave"].reason == "this needs a context of 2 tokens or more; this one has 1"
