"""Which runs, budgets and scores of a study the fits and claims rest on."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.measured import load_measured, main_scores
from hf_ctxscale.analysis.positions import PositionLosses, save_losses
from hf_ctxscale.study import UserError

Maker = Callable[..., PositionLosses]
RUNS = ("lstm-1-25000-s0", "lstm-1-75000-s0", "lstm-1-200000-s0")


@pytest.fixture
def score_runs(maker: Any, make_losses: Maker) -> Callable[..., None]:
    """Scores the first ``count`` runs in one way; the score is named after the way."""
    for run_id, size in zip(RUNS, (25_000, 75_000, 200_000), strict=True):
        maker.add_run(run_id, "lstm", 1, size)

    def score(way: str, *, count: int = len(RUNS), **changes: Any) -> None:
        for run_id in RUNS[:count]:
            maker.add_score(f"{way}-{run_id}", make_losses(np.full(8, 3.0)), run_id=run_id, **changes)

    return score


def ways_of(study: Any) -> set[str]:
    return {score.score_id.split("-")[0] for score in main_scores(study).values()}


def test_windows_within_documents_come_first_where_as_many_runs_have_them(maker: Any, score_runs: Any) -> None:
    score_runs("a", windows="start")
    score_runs("b", windows="packed")
    score_runs("z", windows="within")
    assert ways_of(maker.study) == {"z"}


def test_a_study_scored_from_the_start_is_judged_by_that_and_one_other_score_changes_nothing(maker: Any, score_runs: Any) -> None:
    score_runs("s", windows="start")
    assert ways_of(maker.study) == {"s"}
    score_runs("w", windows="within", count=1)
    assert ways_of(maker.study) == {"s"}
    assert [run.score.windows for run in load_measured(maker.study).runs] == ["start"] * 3


def test_carried_state_is_never_the_main_way_where_fresh_windows_are_there(maker: Any, score_runs: Any) -> None:
    score_runs("a", carry_state=True)
    score_runs("f", windows="start", count=1)
    assert ways_of(maker.study) == {"f"}
    assert set(main_scores(maker.study)) == {RUNS[0]}


def test_scores_behind_other_bos_tokens_do_not_mix(maker: Any, score_runs: Any) -> None:
    score_runs("b", bos_policy="auto", bos_ids=(1,))
    score_runs("a", bos_policy="auto", bos_ids=(2,), count=2)
    assert ways_of(maker.study) == {"b"}
    assert len(main_scores(maker.study)) == 3


def test_the_text_of_the_study_comes_before_another_corpus(maker: Any, score_runs: Any) -> None:
    score_runs("o", corpus="a-corpus", tokens_fingerprint="other")
    score_runs("t")
    assert ways_of(maker.study) == {"o"}  # without a record of its text, by name
    maker.study.tokens.mkdir()
    (maker.study.tokens / "corpus.json").write_text(json.dumps({"fingerprint": "t"}))
    assert ways_of(maker.study) == {"t"}


def test_a_study_without_runs_has_no_main_scores(maker: Any, make_losses: Maker) -> None:
    maker.add_score("hub", make_losses(np.full(8, 3.0)), run_id=None)
    assert main_scores(maker.study) == {}


def run_ids(measured: Any) -> list[str]:
    return [run.record.run_id for run in measured.runs]


def test_other_budgets_are_no_learning_rate_trials(maker: Any) -> None:
    for tag, tokens, loss in (("-a", 1_000_000, 3.5), ("-b", 2_000_000, 3.2), ("-c", 2_000_000, 3.1), ("-d", 4_000_000, 3.0)):
        maker.add("lstm", 1, 25_000, np.full(8, loss), tag=tag, train_tokens=tokens, validation_loss_nats=loss)
    assert run_ids(load_measured(maker.study)) == [f"lstm-1-25000-s0-{letter}" for letter in "acd"]


def test_the_full_budget_of_a_size_is_the_largest_that_the_most_series_share(maker: Any) -> None:
    for series, size, millions in (
        *(("lstm", 25_000, m) for m in (1, 2, 4)),
        *(("gpt2", 25_000, m) for m in (1, 2)),
        *((family, 75_000, m) for family in ("lstm", "gpt2") for m in (2, 8)),
        ("lstm", 200_000, 16),
    ):
        maker.add(series, 1, size, np.full(8, 3.0), tag=f"-{millions}M", train_tokens=millions * 1_000_000)
    measured = load_measured(maker.study)
    full = measured.at_full_budget()
    assert {(run.record.target_body_params, run.record.train_tokens) for run in full.runs} == {
        (25_000, 2_000_000),
        (75_000, 8_000_000),
        (200_000, 16_000_000),
    }
    assert len(measured.runs) == 10
    assert len(full.runs) == 5
    assert full.notes == (
        "At 25,000 body parameters, claims and laws of size rest on the runs of 2 million training tokens; 3 of 1, 4 million are left out of "
        "them.",
        "At 75,000 body parameters, claims and laws of size rest on the runs of 8 million training tokens; 2 of 2 million are left out of them.",
    )
    assert full.at_full_budget() is full


def test_seeds_of_one_budget_are_kept_together(maker: Any) -> None:
    for seed in range(2):
        for millions in (1, 2):
            maker.add("lstm", 1, 25_000, np.full(8, 3.0), seed=seed, tag=f"-{millions}M", train_tokens=millions * 1_000_000)
    full = load_measured(maker.study).at_full_budget()
    assert run_ids(full) == ["lstm-1-25000-s0-2M", "lstm-1-25000-s1-2M"]
    assert len(full.at("lstm-1", size=25_000)) == 2


def test_one_budget_per_size_leaves_everything_as_it_is(figure: Any) -> None:
    measured = load_measured(figure.study)
    assert measured.at_full_budget() is measured


def broken(losses: PositionLosses, value: float) -> PositionLosses:
    """The same with a sum that is no number in two documents."""
    sums = losses.loss_sum_nats.copy()
    sums[[1, 4], [0, 3]] = value
    return dataclasses.replace(losses, loss_sum_nats=sums)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_run_with_losses_that_are_not_finite_is_left_out_and_named(maker: Any, make_losses: Maker, value: float) -> None:
    for size in (25_000, 75_000):
        maker.add("lstm", 1, size, np.full(8, 3.0))
    save_losses(maker.study.losses_file(f"score-{RUNS[0]}"), broken(make_losses(np.full(8, 3.0)), value))
    measured = load_measured(maker.study)
    assert run_ids(measured) == [RUNS[1]]
    assert measured.notes == (f"Left out: {RUNS[0]}: its losses are not finite in 2 of 30 documents.",)


def test_a_run_whose_losses_end_early_is_left_out_and_named(maker: Any, make_losses: Maker) -> None:
    for size in (25_000, 75_000):
        maker.add("lstm", 1, size, np.full(8, 3.0))
    save_losses(maker.study.losses_file(f"score-{RUNS[0]}"), make_losses(np.full(6, 3.0)))
    measured = load_measured(maker.study)
    assert run_ids(measured) == [RUNS[1]]
    assert measured.notes == (f"Left out: {RUNS[0]}: its losses end at position 6, and its record says 8; score it again.",)


def test_no_run_with_finite_losses_is_a_sentence(maker: Any, make_losses: Maker) -> None:
    maker.add("lstm", 1, 25_000, np.full(8, 3.0))
    save_losses(maker.study.losses_file(f"score-{RUNS[0]}"), broken(make_losses(np.full(8, 3.0)), float("nan")))
    with pytest.raises(UserError, match=r"no scored run of .* has finite losses \(Left out: lstm-1-25000-s0"):
        load_measured(maker.study)
