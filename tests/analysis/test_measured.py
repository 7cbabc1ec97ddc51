"""Which of a run's scores claims rest on, where a run was scored in several ways."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.measured import load_measured, main_scores
from hf_ctxscale.analysis.positions import PositionLosses

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
