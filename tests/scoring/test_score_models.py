"""Several models on the same documents and windows: what they share, what is skipped, what is another score, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_ctxscale.analysis.positions import load_losses
from hf_ctxscale.analysis.sums import PositionLosses
from hf_ctxscale.data.blocks import NOT_SCORED
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.scoring.score_model import check_finite
from hf_ctxscale.scoring.score_models import score_models
from hf_ctxscale.scoring.score_options import ScoreOptions
from hf_ctxscale.scoring.scored_corpus import open_scored_corpus
from hf_ctxscale.study import Study, UserError
from tests.scoring.read_along_models import byte_fallback_tokenizer
from tests.scoring.saved_models import keep_own_code_in, save_tiny, save_with_own_code, write_documents

CONTEXT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """A Transformer and an LSTM of one tokenizer, and a Transformer of another, which puts BOS before a text; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "gpt2": save_tiny(folder / "gpt2"),
        "lstm": save_tiny(folder / "lstm", model_type="ctxscale_lstm"),
        "other": save_tiny(folder / "other", model_type="llama", tokenizer=byte_fallback_tokenizer()),
    }


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_documents(tmp_path_factory.mktemp("text") / "short-texts")


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "study")


def score(study: Study, *names: object, text: Path, said: list[str] | None = None, **options) -> list[ScoreRecord]:
    corpus = open_scored_corpus(str(text), split=None, study=study)
    told = [] if said is None else said
    return score_models(
        [str(name) for name in names], corpus=corpus, options=ScoreOptions(**{"context_tokens": CONTEXT, **options}), say=told.append
    )


def losses_of(study: Study, record: ScoreRecord) -> PositionLosses:
    return load_losses(study.losses_file(record.score_id))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def changed(folder: Path, *, into: Path, weight: float) -> Path:
    """A copy whose first bias is set."""
    shutil.copytree(folder, into)
    weights = load_file(into / "model.safetensors")
    weights["transformer.h.0.attn.c_attn.bias"][:] = weight
    save_file(weights, into / "model.safetensors", metadata={"format": "pt"})
    return into


def test_models_share_documents_windows_and_targets(models, text, study):
    first, second = score(study, models["gpt2"], models["lstm"], text=text)
    one, two = (losses_of(study, record) for record in (first, second))
    assert one.documents == two.documents
    np.testing.assert_array_equal(one.num_tokens, two.num_tokens)
    np.testing.assert_array_equal(one.num_bytes, two.num_bytes)
    assert not np.allclose(one.loss_sum_nats, two.loss_sum_nats)
    for record in (first, second):
        assert (record.num_documents, record.num_documents_too_short, record.num_documents_not_shared) == (5, 0, 0)
        assert record.num_blocks == one.num_blocks.sum()
        assert record.num_tokens == one.num_tokens.sum() == CONTEXT * record.num_blocks
        assert study.byte_losses_file(record.score_id).is_file()
        assert [file.name for file in (study.scores / record.score_id).iterdir() if file.name.startswith(".")] == []
    assert (first.model_type, second.model_type) == ("gpt2", "ctxscale_lstm")
    assert first.params is not None
    assert first.params.total == sum(weights.numel() for weights in load_file(models["gpt2"] / "model.safetensors").values())


def test_a_local_folder_is_scored_whole(models, text, study):
    [record] = score(study, models["lstm"], text=text)
    assert (record.corpus, record.split) == ("short-texts", "whole")
    assert set(losses_of(study, record).documents) == {file.name for file in text.iterdir()}


def test_the_same_again_is_skipped_and_leaves_every_byte(models, text, study):
    names = models["gpt2"], models["lstm"]
    before = score(study, *names, text=text, ablation=True)
    files, said = contents(study.folder), []
    assert score(study, *names, text=text, ablation=True, said=said) == before
    assert said == [f"{name} is scored already; skipped." for name in names]
    assert contents(study.folder) == files


def test_an_ablation_is_added_to_a_score_that_has_none(models, text, study):
    [without] = score(study, models["gpt2"], text=text)
    files, said = contents(study.scores / without.score_id), []
    [with_ablation] = score(study, models["gpt2"], text=text, ablation=True, said=said)
    assert without.ablation is None
    assert with_ablation.ablation is not None
    assert with_ablation.score_id == without.score_id
    after = contents(study.scores / without.score_id)
    assert sorted(after) == ["ablation.parquet", "losses.parquet", "losses_by_bytes.parquet", "score.json"]
    assert {name: after[name] for name in files if name != "score.json"} == {name: files[name] for name in files if name != "score.json"}
    assert load_losses(study.ablation_file(without.score_id)).num_tokens.any(axis=1).sum() == without.num_documents


def test_changed_weights_or_another_config_make_another_score(models, text, study, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(models["gpt2"], model)
    [before] = score(study, model, text=text)
    shutil.rmtree(model)
    changed(models["gpt2"], into=model, weight=0.5)
    [other_weights] = score(study, model, text=text)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "scale_attn_by_inverse_layer_idx": True}))
    [other_config] = score(study, model, text=text)
    assert len({before.score_id, other_weights.score_id, other_config.score_id}) == 3
    sums = [losses_of(study, record).loss_sum_nats for record in (before, other_weights, other_config)]
    assert not np.array_equal(sums[0], sums[1])
    assert not np.array_equal(sums[1], sums[2])


@pytest.mark.parametrize(
    "options",
    [{"bos": "always"}, {"windows": "start"}, {"windows": "packed"}, {"windows_seed": 1}, {"dtype": "float64"}, {"context_tokens": 13}],
)
def test_other_options_make_another_score_beside_the_first(options, models, text, study):
    [first] = score(study, models["gpt2"], text=text)
    [second] = score(study, models["gpt2"], text=text, **options)
    assert first.score_id != second.score_id
    assert not np.array_equal(losses_of(study, first).loss_sum_nats, losses_of(study, second).loss_sum_nats)
    assert {record.score_id for record in study.score_records()} == {first.score_id, second.score_id}


def test_batches_change_no_score(models, text, study, tmp_path):
    [one] = score(study, models["gpt2"], text=text, dtype="float64", batch_blocks=1)
    [many] = score(Study(tmp_path / "second"), models["gpt2"], text=text, dtype="float64", batch_blocks=7)
    assert one.score_id == many.score_id
    np.testing.assert_allclose(losses_of(study, one).loss_sum_nats, losses_of(Study(tmp_path / "second"), many).loss_sum_nats, rtol=1e-12)


def test_models_of_different_tokenizers_share_the_documents_that_are_long_enough_for_both(models, text, study):
    """Every document is longer in the other tokenizer's tokens, so that only that model has documents to spare."""
    own, other = score(study, models["gpt2"], models["other"], text=text, context_tokens=50)
    assert own.num_documents_not_shared == 0
    assert own.num_documents_too_short == other.num_documents_not_shared > 0
    assert losses_of(study, own).documents == losses_of(study, other).documents
    assert (own.bos_ids, other.bos_ids) == ((), (1,))
    assert own.tokenizer_fingerprint != other.tokenizer_fingerprint
    [alone] = score(study, models["other"], text=text, context_tokens=50)
    assert alone.score_id != other.score_id
    assert alone.num_documents == other.num_documents + other.num_documents_not_shared
    rows = losses_of(study, alone), losses_of(study, other)
    index = [rows[0].documents.index(document) for document in rows[1].documents]
    np.testing.assert_allclose(rows[0].loss_sum_nats[index], rows[1].loss_sum_nats, rtol=1e-5)
    # The other model is part of what decides the documents.
    assert str(models["gpt2"]) in other.command
    assert str(models["gpt2"]) not in alone.command


def test_a_carried_state_is_a_score_of_its_own(models, text, study):
    [fresh] = score(study, models["lstm"], text=text)
    [carried] = score(study, models["lstm"], text=text, carry_state=True)
    assert "-carried-" in carried.score_id
    assert carried.command.endswith("--carry-state --out STUDY")
    np.testing.assert_array_equal(losses_of(study, fresh).num_tokens, losses_of(study, carried).num_tokens)
    assert not np.allclose(losses_of(study, fresh).loss_sum_nats, losses_of(study, carried).loss_sum_nats)
    with pytest.raises(UserError, match=r"\(gpt2\) is not recurrent: it has no state of constant size to carry; leave out --carry-state"):
        score(study, models["gpt2"], text=text, carry_state=True)


def test_a_model_with_its_own_code_is_scored_where_it_is_trusted(text, study, tmp_path, monkeypatch):
    keep_own_code_in(tmp_path / "modules", patch=monkeypatch)
    folder = save_with_own_code(tmp_path / "own")
    with pytest.raises(UserError, match="comes with its own code, which runs on your machine; read it, then pass --trust-remote-code"):
        score(study, folder, text=text)
    assert not study.scores.exists()
    [record] = score(study, folder, text=text, trust_remote_code=True)
    assert (record.model_type, record.head) == ("h8_own", "chunks")
    assert "--trust-remote-code" in record.command


# What is refused


def test_no_document_long_enough_says_how_long_the_longest_is(models, text, study):
    with pytest.raises(UserError) as refused:
        score(study, models["lstm"], text=text, context_tokens=1000)
    [record] = score(study, models["lstm"], text=text, windows="packed")
    [tokens] = study.folder.glob("scored_tokens/*/corpus.json")
    longest = json.loads(tokens.read_text())["splits"]["test"]["longest_document_tokens"]
    assert record.num_tokens > longest
    assert str(refused.value).endswith(
        f"a document has to have 2·(context_tokens + 1) = 2002 tokens, and the longest has {longest}; choose a context_tokens of at most {longest // 2 - 1}."
    )


def test_positions_past_the_limit_are_refused_before_anything_is_scored(models, text, study, tmp_path):
    short = save_tiny(tmp_path / "short", n_positions=20)
    words = "context_tokens=20 and 1 BOS token exceeds the 20 positions of .*; score at most --context 19, or leave the BOS token out"
    with pytest.raises(UserError, match=words):
        score(study, models["lstm"], short, text=text, context_tokens=20, bos="always")
    assert not study.scores.exists()


def test_a_loss_that_is_not_a_number_names_model_position_and_document(models, text, study, tmp_path):
    broken = changed(models["gpt2"], into=tmp_path / "broken", weight=0.0)
    weights = load_file(broken / "model.safetensors")
    weights["transformer.ln_f.weight"][6] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError) as refused:
        score(study, models["lstm"], broken, text=text)
    [whole] = study.score_records()
    assert whole.model == str(models["lstm"])
    first = losses_of(study, whole).documents[0]
    assert f"model '{broken}' gives a loss of nan at context position 1 of document {first!r}, so it cannot be scored;" in str(
        refused.value
    )


def test_of_losses_that_are_no_numbers_the_first_that_counts_is_named():
    losses_BT, document_BT = np.zeros((2, 3)), np.array([[0, 0, 0], [NOT_SCORED, 1, 1]])
    losses_BT[1, 0] = np.nan
    check_finite(losses_BT, document_BT, documents=("a", "b"), name="m")
    losses_BT[1, 2] = np.inf
    with pytest.raises(UserError, match="model 'm' gives a loss of inf at context position 3 of document 'b', so it cannot be scored"):
        check_finite(losses_BT, document_BT, documents=("a", "b"), name="m")


def test_a_model_that_returns_no_logits_is_refused(text, study, tmp_path, monkeypatch):
    keep_own_code_in(tmp_path / "modules", patch=monkeypatch)
    folder = save_with_own_code(tmp_path / "own", gives="nothing")
    with pytest.raises(UserError, match="OwnForCausalLM returned no logits; a causal LM returns one score per token id at every position"):
        score(study, folder, text=text, trust_remote_code=True)


def test_a_tokenizer_without_an_end_of_text_token_is_refused(models, text, study, tmp_path):
    folder = Path(shutil.copytree(models["gpt2"], tmp_path / "endless"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({name: value for name, value in config.items() if name != "eos_token"}))
    with pytest.raises(UserError) as refused:
        score(study, folder, text=text)
    assert str(refused.value).startswith(
        f"the tokenizer of '{folder}' has no end-of-text token, which has to stand between documents; set 'eos_token'"
    )
