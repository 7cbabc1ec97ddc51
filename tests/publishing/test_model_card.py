"""A model's card: what it says of the run, what its metadata holds, and that text of others stays text."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from synthetic_scores import add_ablation, write_ablated_study
from synthetic_study import write_synthetic_study

from hf_ctxscale.columns import POSITIONS_SCHEMA, RUNS_SCHEMA
from hf_ctxscale.files import read_table, write_record, write_table
from hf_ctxscale.publishing.model import model_upload
from hf_ctxscale.study import Study
from tests.publishing.made_up_models import add_model

LSTM, GPT2 = "lstm-1-222k-s0", "gpt2-2-222k-s0"
ID = "me/ctxscale-small"
ATTACK = "<script>alert('a')</script>|](http://evil.example/)`"


def card_of(study: Study, run_id: str, **options) -> str:
    files = model_upload(study.run_folder(run_id), repo_id=ID, **options).files
    assert isinstance(files["README.md"], bytes)
    return files["README.md"].decode()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    study = write_ablated_study(tmp_path_factory.mktemp("cards") / "study")
    for run_id in (LSTM, GPT2):
        add_model(study, run_id)
    return study


@pytest.fixture(scope="module")
def lstm(study) -> str:
    return card_of(study, LSTM)


@pytest.fixture(scope="module")
def gpt2(study) -> str:
    return card_of(study, GPT2)


def test_the_metadata_name_library_task_licence_tags_and_results(lstm):
    data = ModelCard(lstm).data
    assert (data.library_name, data.pipeline_tag, data.license, data.model_name) == (
        "transformers",
        "text-generation",
        "apache-2.0",
        "ctxscale-small",
    )
    assert set(data.tags) == {"hf-ctxscale", "context-use", "scaling-laws", "ctxscale_lstm", "arxiv:2001.08361"}
    results = {result.metric_type: result for result in data.eval_results}
    assert results["loss_nats_per_token"].metric_value == pytest.approx(3.18)
    limits = {"low": pytest.approx(3.11), "high": pytest.approx(3.25), "confidence": 0.95}
    assert results["loss_nats_per_token"].metric_args == {"unit": "nats per token", **limits}
    assert {"bits_per_byte", "context_gain_nats", "effective_context_tokens", "effective_context_bytes"} <= set(results)
    assert (results["bits_per_byte"].dataset_name, results["bits_per_byte"].dataset_split) == ("python-stdlib", "test")


def test_another_licence_is_named_in_metadata_and_text(study):
    card = card_of(study, GPT2, licence="cc-by-4.0")
    assert ModelCard(card).data.license == "cc-by-4.0"
    assert "The weights, and the code if there is any, are under cc-by-4.0." in card


def test_it_says_what_the_model_is_and_what_was_measured(lstm):
    assert "# ctxscale-small\n" in lstm
    assert "A research model: LSTM, 1 layer, with 224,665 body parameters" in lstm
    assert "trained on 6,000,640 tokens of python-stdlib with 256 tokens of context" in lstm
    assert "**On the test split of python-stdlib, 225K LSTM, 1 layer has a loss of 3.180 [3.110, 3.250] nats per token" in lstm
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", lstm) == ["context_use.png"]


def test_the_table_by_position_is_that_of_the_results(study, lstm):
    rows = [row for row in read_table(study.results_file("positions")).to_pylist() if row["run_id"] == LSTM]
    table = lstm.split("### Loss by position")[1].split("## How to load it")[0].strip().splitlines()[2:]
    assert len(table) == len(rows)
    first, last = rows[0], rows[-1]
    assert table[0] == f"| 1 | {first['loss_nats']:.3f} | [{first['loss_low']:.3f}, {first['loss_high']:.3f}] | {first['num_tokens']:,} |"
    assert table[-1].startswith(f"| {last['position_from']}–256 | {last['loss_nats']:.3f} | [")


def test_an_lstm_is_loaded_with_its_code_or_with_the_package(lstm):
    without, with_package = re.findall(r"```python\n(.*?)```", lstm, re.DOTALL)
    assert f'AutoModelForCausalLM.from_pretrained("{ID}", trust_remote_code=True)' in without
    assert "hf_ctxscale" not in without
    assert with_package.startswith("import hf_ctxscale.models\n")
    assert "trust_remote_code" not in with_package
    for code in (without, with_package):
        compile(code, "card", "exec")


def test_a_transformer_is_loaded_without_code(gpt2):
    (code,) = re.findall(r"```python\n(.*?)```", gpt2, re.DOTALL)
    assert f'AutoModelForCausalLM.from_pretrained("{ID}")' in code
    assert "trust" not in gpt2
    assert "gpt2" in ModelCard(gpt2).data.tags


def test_the_command_that_measures_it_again_names_the_repository_and_no_folder(lstm):
    assert f"hf-ctxscale score {ID} --corpus TEXT --context 256 --ablation --out STUDY\n" in lstm
    assert "runs/" not in lstm


def test_training_and_sizes_are_those_of_the_record(study, lstm, gpt2):
    (record,) = [record for record in study.run_records() if record.run_id == GPT2]
    for line in (
        "- tokens: 6,000,640 in 2,930 steps of 8 x 256 tokens",
        "- learning rate: 0.003",
        "- precision: float32",
        "- seed: 0",
        "- validation loss: 3.300 nats per token",
        "- time: 183 s",
        "- device: cpu (2 cores)",
        "- versions: hf-ctxscale 0.1.0, torch 2.13.0, transformers 5.23.0",
        f"- run: {GPT2}",
        f"| body | {record.params.body:,} |",
        f"| position embedding | {record.params.position_embedding:,} |",
        f"| all | {record.params.total:,} |",
    ):
        assert line in gpt2.splitlines()
    assert "| position embedding | 0 |" in lstm


def test_limits_follow_the_kind_of_model(lstm, gpt2):
    assert "It has embeddings for 256 positions: longer texts have to be cut." in gpt2
    assert "what it does with a longer context was not measured" in lstm
    for card in (lstm, gpt2):
        assert "It is one training run (seed 0)" in card
        assert "the standard library of the running Python, one document per file (PSF licence)" in card


def test_it_is_cited_with_the_paper_that_it_follows(lstm):
    (entries,) = re.findall(r"```bibtex\n(.*?)```", lstm, re.DOTALL)
    assert re.findall(r"@\w+\{(\w+),", entries) == ["hf_ctxscale", "kaplan2020"]


def test_an_unscored_run_says_so_and_has_no_results(tmp_path):
    study = write_synthetic_study(tmp_path / "study")
    add_model(study, GPT2)
    for path in (*study.results.iterdir(), *study.scores.rglob("score.json")):
        path.unlink()
    card = card_of(study, GPT2)
    assert "It was not scored: nothing is known of how it uses its context." in card
    assert "context_use.png" not in card
    assert "model-index" not in card
    assert ModelCard(card).data.license == "apache-2.0"


def test_a_corpus_of_a_local_folder_is_named_without_it(tmp_path):
    study = write_synthetic_study(tmp_path / "study", corpus="books")
    add_model(study, GPT2)
    card = card_of(study, GPT2)
    assert "The licence of its training text is not recorded." in card
    assert str(tmp_path) not in card
    assert str(Path.home()) + "/" not in card


def test_a_score_without_an_ablation_gives_way_to_one_like_it_that_has_one(tmp_path):
    study = write_synthetic_study(tmp_path / "study")
    add_model(study, LSTM)
    (score,) = [score for score in study.score_records() if score.run_id == LSTM]
    again = score.model_copy(update={"score_id": f"{score.score_id}-zz"})
    write_record(study.score_file(again.score_id), again)
    for table, schema in (("runs", RUNS_SCHEMA), ("positions", POSITIONS_SCHEMA)):
        rows = read_table(study.results_file(table)).to_pylist()
        same = [row | {"score_id": again.score_id} for row in rows if row["score_id"] == score.score_id]
        write_table(study.results_file(table), rows + same, schema)
    assert "effective context is" not in card_of(study, LSTM)
    add_ablation(study, again.score_id, reach=12.0)
    assert "its effective context is 12 tokens [6, 20]" in card_of(study, LSTM)


def test_text_of_others_stays_text(tmp_path):
    study = write_ablated_study(tmp_path / "study", corpus=ATTACK)
    add_model(study, LSTM)
    card = card_of(study, LSTM)
    assert ModelCard(card).data.eval_results[0].dataset_name == ATTACK
    body = card.split("\n---\n", 1)[1]
    html = MarkdownIt().render(body)
    assert "<script" not in html
    assert "evil.example" in html
    assert not re.search(r"""(href|src)="[^"]*evil""", html)
