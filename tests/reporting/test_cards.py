"""Cards: the section for a model card and its metadata."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, metadata_load
from synthetic_scores import add_scored_model, write_ablated_study, write_scored_study

from hf_ctxscale.charts.draw import draw_score
from hf_ctxscale.columns import RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_table
from hf_ctxscale.reporting.cards import write_card
from hf_ctxscale.reporting.render import markdown_text
from hf_ctxscale.study import Study, UserError

ATTACK = "<script>alert('a')</script>|](http://evil.example/)`"


def card_of(study: Study, score_id: str) -> str:
    """The card; what stands in for its chart is only looked for."""
    (study.scores / score_id / "context_use.png").touch()
    return write_card(study, score_id).read_text()


def change_row(study: Study, **changes: object) -> None:
    rows = read_table(study.results_file("runs")).to_pylist()
    write_table(study.results_file("runs"), [row | changes for row in rows], RUNS_SCHEMA)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = write_scored_study(tmp_path_factory.mktemp("cards"), models=("org/small",))
    add_scored_model(study, "org/open", loss=2.6, reach=150, censored=True)
    return study


@pytest.fixture(scope="module")
def card(study: Study) -> str:
    draw_score(study, "org--small-score")
    return card_of(study, "org--small-score")


def test_the_card_says_the_result_in_one_sentence_with_intervals(card: str) -> None:
    assert (
        "**On the test split of python-stdlib, org/small has a loss of 3.400 [3.330, 3.470] nats per token (1.619 [1.589, 1.649] bits per byte) with "
        "256 tokens of context; from positions 65–128 to 129–256 it gains +0.110 [+0.090, +0.130] nats and its effective context is "
        "30 tokens [15, 51] (95 % intervals in brackets).**"
    ) in card


def test_the_card_lies_beside_its_chart_and_links_to_it(study: Study, card: str) -> None:
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", card) == ["context_use.png"]
    assert (study.scores / "org--small-score" / "context_use.png").stat().st_size > 1000


def test_the_table_gives_every_measure_with_its_interval_or_the_reason_for_none(card: str) -> None:
    for row in (
        "| loss | 3.400 | nats per token | [3.330, 3.470] |",
        "| loss | 4.905 | bits per token | [4.804, 5.006] |",
        "| loss | 1.619 | bits per byte | [1.589, 1.649] |",
        "| context gain | +0.110 | nats per token | [+0.090, +0.130] |",
        "| in-context score (lower is better) | — | nats per token | needs a context of 512 tokens; this one has 256 |",
        "| effective context | 30 | tokens | [15, 51] |",
        "| effective context | 78 | bytes | [39, 133] |",
    ):
        assert row in card.splitlines()


def test_the_card_says_how_it_was_measured_and_what_repeats_it(card: str) -> None:
    for words in (
        "model: org/small, revision 0123456789abcdef0123456789abcdef01234567",
        "89 with 248,064 predicted tokens; left out: 17 too short for a window",
        "969 windows of 256 tokens of context (policy 'within': inside one document",
        "BOS: id 1 before every window and every cut (policy 'auto', what the tokenizer adds), never counted as context",
        "k = 1, 2, 4, 8, 16, 32, 64, 128, 256",
        "precision of the ablation: standard error of L(128) − L(256) 0.0060 nats, 0.007 wanted",
        "```bash\nhf-ctxscale score org/small --corpus python-stdlib --context 256 --ablation --out STUDY\n```",
        "Measured with hf-ctxscale 0.1.0, torch 2.13.0.",
    ):
        assert words in card


def test_an_effective_context_beyond_the_context_is_at_least_that(study: Study) -> None:
    card = card_of(study, "org--open-score")
    assert "| effective context | at least 256 | tokens | [75, 256 or more] |" in card
    assert "its effective context is at least 256 tokens [75, 256 or more]" in card


def test_the_hubs_own_reader_reads_the_metadata_back(study: Study, card: str, tmp_path: Path) -> None:
    header = (study.scores / "org--small-score" / "model-index.yaml").read_text()
    path = tmp_path / "README.md"
    path.write_text(f"---\nlicense: mit\n{header}---\n\n{card}")
    results = {result.metric_type: result for result in ModelCard.load(path).data.eval_results}
    (row,) = [row for row in read_table(study.results_file("runs")).to_pylist() if row["score_id"] == "org--small-score"]
    for key, column in (
        ("loss_nats_per_token", "loss_nats"),
        ("bits_per_byte", "bits_per_byte"),
        ("context_gain_nats", "context_gain_nats"),
        ("effective_context_tokens", "effective_context"),
    ):
        assert results[key].metric_value == row[column]
        assert results[key].metric_args["low"] == row[f"{column}_low"]
        assert results[key].metric_args["high"] == row[f"{column}_high"]
        assert (results[key].dataset_name, results[key].dataset_split) == ("python-stdlib", "test")
        assert results[key].dataset_args["context_tokens"] == 256
    assert "in_context_score_nats" not in results
    assert "loss" not in results
    (index,) = metadata_load(path)["model-index"]
    assert index["name"] == "org/small"


def test_the_metadata_says_what_is_only_at_least(study: Study) -> None:
    card = card_of(study, "org--open-score")
    header = (study.scores / "org--open-score" / "model-index.yaml").read_text()
    found = {result.metric_type: result for result in ModelCard(f"---\n{header}---\n{card}").data.eval_results}
    args = found["effective_context_tokens"].metric_args
    assert (args["censored"], args["high_censored"]) == (True, True)
    assert "censored" not in found["loss_nats_per_token"].metric_args


def test_hostile_names_are_text(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("m",), corpus=ATTACK, command=f"hf-ctxscale score '{ATTACK}```' --out S")
    card = card_of(study, "m-score")
    outside, fenced, _ = re.split(r"^`````(?:bash)?$", card, flags=re.MULTILINE)
    assert "<script" not in outside
    assert "](http://evil" not in outside
    assert markdown_text(ATTACK) in outside
    assert fenced == f"\nhf-ctxscale score '{ATTACK}```' --out S\n"
    header = (study.scores / "m-score" / "model-index.yaml").read_text()
    assert {result.dataset_name for result in ModelCard(f"---\n{header}---\n").data.eval_results} == {ATTACK}


def test_every_row_of_the_table_has_four_cells(card: str) -> None:
    counts = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in card.splitlines()]
    assert set(counts) == {0, 5}
    assert all(count in (0, before) or before == 0 for before, count in pairwise(counts))


def test_without_an_ablation_the_card_says_how_to_make_one(tmp_path: Path) -> None:
    card = card_of(write_scored_study(tmp_path, models=("m",), ablation=False), "m-score")
    assert "| effective context | — | tokens | no ablation was made (\\`--ablation\\`) |" in card
    assert "effective context is" not in card.split("![")[0]
    assert "Dashed" not in card


def test_few_documents_decide_nothing(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("m",))
    change_row(study, num_documents=7)
    assert "**Undecided: measured on 7 documents. An interval from fewer than 20 is not to be relied on.**" in card_of(study, "m-score")
    change_row(study, num_documents=20)
    assert "Undecided" not in card_of(study, "m-score")


def test_a_single_document_has_no_intervals_and_the_card_does_not_speak_of_any(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("m",))
    limits = [name for name in RUNS_SCHEMA.names if name.endswith(("_low", "_high"))]
    change_row(study, num_documents=1, **dict.fromkeys(limits))
    card = card_of(study, "m-score")
    assert "| loss | 3.400 | nats per token | — |" in card
    assert "| effective context | 30 | tokens | — |" in card
    assert "in brackets" not in card


@pytest.mark.parametrize(
    ("windows", "said"),
    [("start", "Windows start at a document's first token"), ("packed", "the context at t may begin in an earlier document")],
)
def test_the_card_says_what_the_window_policy_makes_of_the_curve(tmp_path: Path, windows: str, said: str) -> None:
    card = card_of(write_scored_study(tmp_path, models=("m",), windows=windows), "m-score")
    assert said in card
    assert f"policy '{windows}'" in card
    assert "start anywhere" not in card


def test_a_trained_run_is_called_by_its_size_and_a_folder_by_its_name(tmp_path: Path) -> None:
    study = write_ablated_study(tmp_path, models={("lstm", 1): ((3.6, 0.0),)})
    folder = add_scored_model(study, "/home/someone/secret/pythia", loss=3.0).replace("/", "--")
    assert "python-stdlib, 26K LSTM, 1 layer has a loss of" in card_of(study, "lstm-1-26k-s0-score")
    card = card_of(study, folder)
    assert "python-stdlib, pythia has a loss of" in card
    assert "someone" not in card.split("```")[0]
    assert "someone" not in (study.scores / folder / "model-index.yaml").read_text()


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    study = write_scored_study(tmp_path, models=("m",))
    with pytest.raises(UserError, match=r"context_use\.png does not exist; `hf-ctxscale score`"):
        write_card(study, "m-score")
    with pytest.raises(UserError, match=r"score\.json does not exist; the command `hf-ctxscale score MODEL"):
        write_card(study, "other")
    write_table(study.results_file("runs"), [], RUNS_SCHEMA)
    with pytest.raises(UserError, match=r"holds no score 'm-score'; write it anew with `hf-ctxscale analyse"):
        write_card(study, "m-score")
