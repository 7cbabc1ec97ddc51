"""Which scores stand on one chart, and what they are called."""

from pathlib import Path

import pytest
from synthetic_scores import add_ablation, add_scored_model, score_of, write_ablated_study, write_scored_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.chosen_scores import (
    MOST_TOGETHER,
    references,
    rows_of_main_scores,
    score_label,
    score_labels,
    scores_of_context_use,
)
from hf_ctxscale.charts.series import Row
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_record, write_table
from hf_ctxscale.study import Study


def rows_of(study: Study) -> list[Row]:
    return read_table(study.results_file("runs")).to_pylist()


def cut_of(study: Study) -> set[str]:
    return set(read_table(study.results_file("ablation"))["score_id"].to_pylist())


@pytest.mark.parametrize(
    ("change", "drawn"),
    [
        ({}, True),
        ({"tokens_fingerprint": "other"}, False),
        ({"context_tokens": 128}, False),
        ({"windows": "start"}, False),
        ({"split": "validation"}, False),
    ],
)
def test_a_scored_model_is_drawn_beside_the_runs_only_where_a_position_means_the_same(
    tmp_path: Path, change: dict[str, str | int], drawn: bool
) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)})
    add_scored_model(study, "org/small", loss=3.0, ablation=False, **change)
    assert len(references(study)) == drawn


def test_only_the_main_score_of_a_run_is_drawn(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0), (3.4, 0.0))})
    rows = rows_of(study)
    other = score_of("second", rows[0]["model"]).model_copy(update={"run_id": rows[0]["run_id"], "windows": "start", "training_step": 2930})
    write_record(study.score_file("second"), other)
    write_table(study.results_file("runs"), [*rows, rows[0] | {"score_id": "second"}], RUNS_SCHEMA)
    assert rows_of_main_scores(study, rows_of(study)) == rows


def test_a_study_of_runs_shows_the_largest_cut_model_of_each_family_and_models_scored_alike(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path, failed=("gpt2-2-222k-s0",))
    best = add_scored_model(study, "best", loss=2.5)
    add_scored_model(study, "elsewhere", loss=2.5, tokens_fingerprint="other")
    chosen = scores_of_context_use(study, runs=rows_of(study), cut=cut_of(study))
    assert chosen.score_ids == ("lstm-1-222k-s0-score", "gpt2-2-76k-s0-score", best)
    assert chosen.left_out == "not drawn: 1 scored otherwise, or too many"


def test_a_study_of_runs_without_an_ablation_has_no_chart_of_context_use(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)})
    add_scored_model(study, "org/small", loss=3.0, ablation=False)
    assert scores_of_context_use(study, runs=rows_of(study), cut=()).score_ids == ()


def test_of_equal_sizes_the_one_with_the_lowest_validation_loss_is_shown(tmp_path: Path) -> None:
    study = write_synthetic_study(tmp_path, seeds=(0, 1), models={("lstm", 1): ((3.6, 0.0),)})
    for score_id in ("lstm-1-26k-s0-score", "lstm-1-26k-s1-score"):
        add_ablation(study, score_id, reach=12)
    rows = [row | {"validation_loss_nats": 3.0 if row["seed"] else 3.3} for row in rows_of(study)]
    assert scores_of_context_use(study, runs=rows, cut=cut_of(study)).score_ids == ("lstm-1-26k-s1-score",)


def test_scored_models_alone_are_those_of_the_way_that_most_share_and_no_more_than_fit(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=tuple(f"org/m{i}" for i in range(MOST_TOGETHER + 1)), ablation=False)
    add_scored_model(study, "aaa/other-tokenizer", loss=3.0, ablation=False, tokens_fingerprint="other")
    chosen = scores_of_context_use(study, runs=rows_of(study), cut=())
    assert chosen.score_ids == tuple(f"org--m{i}-score" for i in range(MOST_TOGETHER))
    assert chosen.left_out == "not drawn: 2 scored otherwise, or too many"


@pytest.mark.parametrize(
    ("model", "change", "label"),
    [
        ("openai-community/gpt2", {}, "gpt2"),
        ("/home/someone/pythia/model", {}, "pythia"),
        ("./", {}, "./"),
        ("/x/y", {"model_type": "ctxscale_exact_predictor"}, "best possible"),
        ("org/rnn", {"carry_state": True}, "rnn, state carried"),
        ("org/a-very-long-name-of-a-language-model-1.4b", {}, "a-very-long-name-of…del-1.4b"),
    ],
)
def test_a_model_is_called_by_what_tells_it_apart(model: str, change: dict[str, str | bool], label: str) -> None:
    row = {"architecture": None, "body_params": None, "num_layers": None}
    assert score_label(row, score_of("x", model).model_copy(update=change)) == label


def test_two_scores_of_one_model_are_numbered(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("a/gpt2", "b/gpt2"), ablation=False)
    assert score_labels(rows_of(study), records=study.score_records()) == {"a--gpt2-score": "gpt2", "b--gpt2-score": "gpt2 (2)"}
