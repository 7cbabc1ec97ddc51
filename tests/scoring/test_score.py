"""hf_ctxscale.score: the same losses as through the command line, for models in memory and by name, and for texts in memory."""

import numpy as np
import pytest
from transformers import AutoTokenizer

import hf_ctxscale
from hf_ctxscale.data.blocks import WithinWindows
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.study import UserError
from hf_ctxscale.training.train_run import build_model

CONTEXT = 8


@pytest.fixture
def model(planned, tiny_tokens):
    return build_model(planned["gpt2"], vocab_size=tiny_tokens.vocab_size).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_tokens):
    return AutoTokenizer.from_pretrained(tiny_tokens.tokenizer_folder)


def test_a_folder_of_text_is_scored_whole_and_as_the_windows_say(model, tokenizer, text_folder, tiny_tokens):
    scored = hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT, tokenizer=tokenizer, max_windows_per_document=3)
    test = tiny_tokens.split("test")
    windows = WithinWindows(test, context_tokens=CONTEXT, max_windows_per_document=3, seed=0)
    expected = score_model(model, windows, documents=test.documents, num_bytes_by_id=tiny_tokens.num_bytes_by_id, batch_blocks=5)

    assert len(scored.documents) == 60
    assert set(expected.documents) < set(scored.documents)
    rows = scored.rows(np.array([scored.documents.index(document) for document in expected.documents]))
    np.testing.assert_array_equal(rows.num_bytes, expected.num_bytes)
    np.testing.assert_allclose(rows.loss_sum_nats, expected.loss_sum_nats, atol=1e-4)


def test_texts_in_memory_lose_the_same_as_in_files(model, tokenizer, text_folder):
    files = sorted(text_folder.glob("*.txt"))
    whole = hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT, tokenizer=tokenizer, windows="start")
    texts = hf_ctxscale.score(model, [file.read_text() for file in files], context_tokens=CONTEXT, tokenizer=tokenizer, windows="start")
    assert texts.documents == tuple(str(number) for number in range(len(files)))
    np.testing.assert_allclose(texts.loss_sum_nats, whole.loss_sum_nats, atol=1e-5)


def test_a_saved_model_loses_the_same_as_in_memory(model, tokenizer, text_folder, tmp_path):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    saved = hf_ctxscale.score(tmp_path, text_folder, context_tokens=CONTEXT, max_windows_per_document=1)
    in_memory = hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT, tokenizer=tokenizer, max_windows_per_document=1)
    np.testing.assert_array_equal(saved.loss_sum_nats, in_memory.loss_sum_nats)


def test_what_is_missing_is_said(model, tokenizer, text_folder):
    with pytest.raises(UserError, match="pass tokenizer="):
        hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT)
    with pytest.raises(UserError, match="give a name, a path, or a list of texts"):
        hf_ctxscale.score(model, [], context_tokens=CONTEXT, tokenizer=tokenizer)
    with pytest.raises(
        UserError, match="exceeds the 8 positions of 'GPT2LMHeadModel'; score at most --context 7, or leave the BOS token out"
    ):
        hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT, tokenizer=tokenizer, bos="always")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"windows": "foo"}, "windows='foo' is not known; allowed: 'within', 'start', 'packed'"),
        ({"bos": "foo"}, "bos='foo' is not known; allowed: 'auto', 'none', 'always'"),
        ({"context_tokens": 0}, "context_tokens=0; it has to be 1 or more"),
        ({"max_windows_per_document": 0}, "max_windows_per_document=0; it has to be 1 or more"),
    ],
)
def test_an_option_that_means_nothing_is_refused(model, tokenizer, text_folder, options, sentence):
    with pytest.raises(UserError, match=sentence):
        hf_ctxscale.score(model, text_folder, tokenizer=tokenizer, **{"context_tokens": CONTEXT, **options})


def test_a_text_given_as_a_corpus_is_answered_by_a_sentence(model, tokenizer):
    with pytest.raises(UserError, match=r"there is no corpus 'a text a text .*\.\.\.'.*texts themselves are given as a list"):
        hf_ctxscale.score(model, "a text " * 1000, context_tokens=CONTEXT, tokenizer=tokenizer)


@pytest.mark.parametrize("training", [True, False])
def test_a_model_in_training_is_left_in_training(model, tokenizer, text_folder, training):
    model.train(training)
    model.transformer.wte.eval()  # frozen
    hf_ctxscale.score(model, text_folder, context_tokens=CONTEXT, tokenizer=tokenizer, max_windows_per_document=1)
    assert model.training == model.transformer.h.training == training
    assert not model.transformer.wte.training
