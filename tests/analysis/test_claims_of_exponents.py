"""Claims about exponents, put to made-up power laws whose exponents are known."""

from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.claims import Claim, judge_claims
from hf_ctxscale.analysis.laws.size_laws import fit_paper_law
from hf_ctxscale.analysis.measured import load_measured
from hf_ctxscale.analysis.replicates import draw_replicates

SIZES = (10_000, 100_000, 1_000_000)


def add_law(
    maker: Any, architecture: str, alpha: float, *, sizes: tuple[int, ...] = SIZES, num_layers: int = 2, num_seeds: int = 3
) -> None:
    rng = np.random.default_rng(num_layers)
    for size in sizes:
        for seed in range(num_seeds):
            curve = np.full(8, 3.0 * (size / 1e5) ** -alpha) + rng.normal(0, 0.003)
            maker.add(architecture, num_layers, size, curve, seed=seed, validation_loss_nats=3.0)


def claims_of(maker: Any) -> dict[str, Claim]:
    measured = load_measured(maker.study)
    return {claim.id: claim for claim in judge_claims(measured, draw_replicates(measured))}


def test_the_papers_exponent_is_recognised_and_another_one_is_not(maker: Any) -> None:
    add_law(maker, "gpt2", 0.076)
    add_law(maker, "lstm", 0.05)
    claims = claims_of(maker)
    transformer, lstm, above = (claims[name] for name in ("exponent_gpt2-2", "exponent_lstm-2", "exponent_above_lstm_2"))
    assert (transformer.verdict, transformer.paper, transformer.measured.confidence) == ("supported", 0.076, 0.90)
    assert transformer.measured.value == pytest.approx(0.076, abs=0.001)
    assert lstm.verdict == "not supported"
    assert (above.verdict, above.paper) == ("supported", None)
    assert above.measured.value == pytest.approx(transformer.measured.value - lstm.measured.value)
    assert transformer.claim == (
        "The loss of the 2-layer Transformer falls with body parameters by the exponent that the paper gives for Transformers, 0.076."
    )


def test_a_transformer_that_falls_more_slowly_is_not_supported(maker: Any) -> None:
    add_law(maker, "gpt2", 0.05)
    add_law(maker, "lstm", 0.076)
    assert claims_of(maker)["exponent_above_lstm_2"].verdict == "not supported"


def test_a_transformer_with_a_depth_for_each_size_has_one_exponent(maker: Any) -> None:
    for num_layers, size in enumerate(SIZES, start=2):
        add_law(maker, "gpt2", 0.076, sizes=(size,), num_layers=num_layers)
    add_law(maker, "lstm", 0.05)
    claims = claims_of(maker)
    assert [name for name in claims if name.startswith("exponent")] == ["exponent_gpt2", "exponent_lstm-2", "exponent_above_lstm_2"]
    transformer = claims["exponent_gpt2"]
    assert (transformer.verdict, len(transformer.runs)) == ("supported", 9)
    assert transformer.claim.startswith("The loss of the Transformer, with a depth for each size, falls with body parameters")
    assert claims["exponent_above_lstm_2"].verdict == "supported"


def test_two_sizes_are_too_few(maker: Any) -> None:
    add_law(maker, "gpt2", 0.076)
    add_law(maker, "lstm", 0.05, sizes=SIZES[:2])
    claims = claims_of(maker)
    reason = "an exponent needs 3 sizes that are finished and scored; lstm-2 has 2"
    assert (claims["exponent_lstm-2"].verdict, claims["exponent_lstm-2"].reason) == ("undecided", reason)
    assert claims["exponent_above_lstm_2"].reason == reason
    assert claims["exponent_gpt2-2"].verdict == "supported"


def test_a_series_that_failed_is_asked_for_too(maker: Any) -> None:
    add_law(maker, "gpt2", 0.076)
    maker.add_run("lstm-4", "lstm", 4, SIZES[0], state="failed", reason="the loss is not finite")
    assert claims_of(maker)["exponent_lstm-4"].reason == "an exponent needs 3 sizes that are finished and scored; lstm-4 has none"


def test_lstms_alone_are_not_compared_with_transformers(maker: Any) -> None:
    add_law(maker, "lstm", 0.076)
    assert [name for name in claims_of(maker) if name.startswith("exponent")] == ["exponent_lstm-2"]


def test_the_exponent_is_that_of_the_law_in_the_table_of_fits(maker: Any) -> None:
    add_law(maker, "gpt2", 0.076)
    measured = load_measured(maker.study)
    replicates = draw_replicates(measured)
    law = fit_paper_law(
        np.array([run.record.params.body for run in measured.runs]),
        replicates.losses([(1, 8)])[:, :, 0],
        variance_P=replicates.run_variances((1, 8)),
    )
    assert claims_of(maker)["exponent_gpt2-2"].measured.value == pytest.approx(law.params["alpha"].value, rel=1e-9)
