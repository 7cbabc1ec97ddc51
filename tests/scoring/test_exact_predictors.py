"""The exact predictors as causal LMs: through the ordinary path they lose what a plain loop over symbols does, to 1e-9."""

import json
import math

import numpy as np
import pytest
import torch
from synthetic_tokens import SYNTHETIC, losses_by_loop, small_tokens
from transformers import AutoModelForCausalLM

from hf_ctxscale.analysis.positions import load_losses
from hf_ctxscale.config import parse_settings
from hf_ctxscale.corpora import TABLE
from hf_ctxscale.data.blocks import PackedWindows, StartWindows, WithinWindows
from hf_ctxscale.scoring.best_possible import score_exact_predictor
from hf_ctxscale.scoring.exact_predictors import ExactPredictor, ExactPredictorConfig, save_exact_predictor
from hf_ctxscale.scoring.open_model import bos_ids_of, open_causal_lm
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.study import Study, UserError

CONTEXT = 96  # more than the 64 symbols that `copy` repeats


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Tokens and the predictor's folder by name of the corpus."""
    folder = tmp_path_factory.mktemp("synthetic")
    return {name: small_tokens(name, folder=folder / name, num_documents=(20, 5, 12), document_tokens=400) for name in SYNTHETIC}


def _score(model, windows, tokens, *, batch_blocks=5, **options):
    documents = tokens.split("test").documents
    return score_model(model, windows, documents=documents, num_bytes_by_id=tokens.num_bytes_by_id, batch_blocks=batch_blocks, **options)


def _summed_by_loop(name, windows, *, symbol_ids, num_documents):
    sums = np.zeros((num_documents, CONTEXT))
    for index in range(len(windows)):
        window = windows[index]
        sums[window.document_T[0]] += losses_by_loop(window.block, TABLE[name].synthetic, symbol_ids=symbol_ids)
    return sums


@pytest.mark.parametrize("name", SYNTHETIC)
@pytest.mark.parametrize("policy", ["start", "within"])
def test_scored_losses_equal_those_of_a_plain_loop(name, policy, corpora):
    tokens, folder = corpora[name]
    split = tokens.split("test")
    windows = StartWindows(split, CONTEXT) if policy == "start" else WithinWindows(split, CONTEXT, max_windows_per_document=2, seed=0)
    model = ExactPredictor.from_pretrained(folder)
    losses = _score(model, windows, tokens)
    expected = _summed_by_loop(name, windows, symbol_ids=list(model.config.symbol_ids), num_documents=len(split.documents))
    assert losses.documents == split.documents
    np.testing.assert_allclose(losses.loss_sum_nats, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_batch_of_12_equals_12_batches_of_1(name, corpora):
    tokens, folder = corpora[name]
    windows = StartWindows(tokens.split("test"), CONTEXT)
    one, twelve = (_score(ExactPredictor.from_pretrained(folder), windows, tokens, batch_blocks=size) for size in (1, 12))
    np.testing.assert_array_equal(one.loss_sum_nats, twelve.loss_sum_nats)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_bos_token_before_the_window_changes_nothing(name, corpora):
    tokens, folder = corpora[name]
    opened = open_causal_lm(str(folder))
    bos_ids = bos_ids_of(opened.tokenizer, "always")
    assert bos_ids == (tokens.end_of_text_id,)
    windows = StartWindows(tokens.split("test"), CONTEXT)
    plain, behind_bos = (_score(opened.model, windows, tokens, bos_ids=ids) for ids in ((), bos_ids))
    np.testing.assert_array_equal(plain.loss_sum_nats, behind_bos.loss_sum_nats)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_packed_documents_are_predicted_as_if_each_stood_alone(name, corpora):
    """The first block holds a document's end and the next one's beginning: nothing of the first is known of the second."""
    tokens, folder = corpora[name]
    model = ExactPredictor.from_pretrained(folder)
    split = tokens.split("test")
    window = PackedWindows(split, 500)[0]
    logits = model(torch.from_numpy(window.block[None, :-1])).logits[0]
    beginning = split.first_token[1]
    assert window.block[beginning - 1] == tokens.end_of_text_id
    alone = model(torch.from_numpy(window.block[None, beginning:-1])).logits[0]
    torch.testing.assert_close(logits[beginning:], alone, atol=0, rtol=0)
    # Before its first symbol, every symbol is as likely.
    symbol_ids = list(model.config.symbol_ids)
    np.testing.assert_allclose(logits[beginning - 1, symbol_ids], -math.log(len(symbol_ids)), rtol=1e-14)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_probabilities_add_up_to_one_and_only_symbols_have_any(name, corpora):
    tokens, folder = corpora[name]
    model = AutoModelForCausalLM.from_pretrained(folder)
    logits = model(torch.from_numpy(StartWindows(tokens.split("test"), CONTEXT)[3].block[None])).logits[0]
    assert logits.dtype == torch.float64
    probabilities = logits.exp()
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-14)
    others = np.setdiff1d(np.arange(tokens.vocab_size), list(model.config.symbol_ids))
    assert not probabilities[:, others].any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_saved_predictor_opens_like_any_model_and_stays_in_float64(dtype, corpora):
    tokens, folder = corpora["dirichlet-markov"]
    opened = open_causal_lm(str(folder), dtype=dtype)
    assert isinstance(opened.model, ExactPredictor)
    assert opened.max_positions is None
    assert opened.model.num_parameters() == 0
    assert opened.tokenizer.decode(list(opened.model.config.symbol_ids)) == "abcd"
    windows = StartWindows(tokens.split("test"), CONTEXT)
    as_saved, opened_so = (_score(model, windows, tokens) for model in (ExactPredictor.from_pretrained(folder), opened.model))
    np.testing.assert_array_equal(as_saved.loss_sum_nats, opened_so.loss_sum_nats)


def test_a_config_with_an_unknown_kind_is_refused():
    with pytest.raises(Exception, match="kind"):
        ExactPredictorConfig(kind="trigram")


def test_a_corpus_of_text_has_no_exact_predictor(corpora, tmp_path):
    tokens, _ = corpora["copy"]
    with pytest.raises(UserError, match="corpus 'python-stdlib' is text, whose best possible loss is not known; name a synthetic corpus"):
        save_exact_predictor("python-stdlib", tokenizer_folder=tokens.tokenizer_folder, folder=tmp_path)


def test_a_tokenizer_that_joins_symbols_is_refused(corpora, tmp_path):
    tokens, _ = corpora["copy"]
    folder = tmp_path / "joins"
    folder.mkdir()
    for file in tokens.tokenizer_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    saved = json.loads((folder / "tokenizer.json").read_text())
    saved["model"]["vocab"]["ab"] = 257
    saved["model"]["merges"] = [["a", "b"]]
    (folder / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(UserError, match=r"joins symbols into tokens such as 'ab'; .* train one with vocab_size=257"):
        save_exact_predictor("copy", tokenizer_folder=folder, folder=tmp_path / "predictor")


def test_a_study_gets_the_best_possible_losses_as_a_score_without_a_run(corpora, tmp_path):
    tokens, folder = corpora["dirichlet-markov"]
    config = {
        "name": "known",
        "corpus": {"name": "dirichlet-markov"},
        "tokenizer": {"vocab_size": 257},
        "context_tokens": CONTEXT,
        "sizes": [{"body_params": 2000, "train_tokens": 5000}],
        "families": [{"architecture": "lstm", "learning_rate": 1e-2}],
        "scoring": {"windows": "start", "ablation": True},
    }
    study = Study(tmp_path)
    settings = parse_settings(config, source="known.yaml")
    score = score_exact_predictor(study, settings, tokens)
    assert score_exact_predictor(study, settings, tokens) == score
    assert score.run_id is None
    assert study.score_records() == [score]
    losses = load_losses(study.losses_file(score.score_id))
    expected = _score(ExactPredictor.from_pretrained(folder), StartWindows(tokens.split("test"), CONTEXT), tokens)
    np.testing.assert_array_equal(losses.loss_sum_nats, expected.loss_sum_nats)
    assert score.num_tokens == losses.num_tokens.sum() == 12 * CONTEXT
    assert load_losses(study.ablation_file(score.score_id)).num_tokens.sum(axis=0).tolist() == [12 * CONTEXT // 8] * len(
        score.ablation.cuts
    )
    assert score.tokens_fingerprint == tokens.record.fingerprint
    assert AutoModelForCausalLM.from_pretrained(study.folder / score.model).config.kind == "markov"
