"""Scoring against a token-by-token loop, for every architecture, and the same numbers from scoring, Trainer evaluation and metric."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import hf_ctxscale
from hf_ctxscale.analysis.positions import load_losses, loss_curve, mean_loss
from hf_ctxscale.architectures import TABLE
from hf_ctxscale.data.blocks import WithinWindows
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.scoring.score_run import held_out_windows, plan_run_score, score_run
from hf_ctxscale.study import Study
from hf_ctxscale.training.batches import collate_blocks
from hf_ctxscale.training.train_run import build_model, train_run
from hf_ctxscale.training.trainer import ValidationLoss, reduce_to_losses

CONTEXT = 8


@pytest.fixture
def windows(tiny_tokens) -> WithinWindows:
    return WithinWindows(tiny_tokens.split("test"), context_tokens=CONTEXT, max_windows_per_document=3, seed=0)


def _score(model, windows, tokens, *, batch_blocks=5):
    return score_model(
        model, windows, documents=tokens.split("test").documents, num_bytes_by_id=tokens.num_bytes_by_id, batch_blocks=batch_blocks
    )


class _Uniform(torch.nn.Module):
    """A causal LM that knows nothing."""

    device = torch.device("cpu")

    def __init__(self, vocab_size):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(vocab_size, dtype=torch.float64))

    def get_output_embeddings(self):
        return None

    def forward(self, input_ids):
        return type("Output", (), {"logits": self.logits.expand(*input_ids.shape, -1)})


def test_a_uniform_model_loses_ln_vocab_at_every_position(windows, tiny_tokens):
    losses = _score(_Uniform(tiny_tokens.vocab_size), windows, tiny_tokens)
    np.testing.assert_allclose(loss_curve(losses), math.log(tiny_tokens.vocab_size), rtol=1e-12)


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_scores_equal_a_loop_that_predicts_one_token_at_a_time(architecture, planned, windows, tiny_tokens):
    """The oracle never sees a target together with its context: each prediction is a forward pass of its own, in float64."""
    model = build_model(planned[architecture], vocab_size=tiny_tokens.vocab_size).double().eval()
    losses = _score(model, windows, tiny_tokens)

    split = tiny_tokens.split("test")
    sums, counts, num_bytes = ({} for _ in range(3))
    for index in range(len(windows)):
        block, document = windows[index].block, int(windows[index].document_T[0])
        name = split.documents[document]
        for t in range(1, CONTEXT + 1):
            with torch.no_grad():
                logits = model(torch.from_numpy(block[None, :t])).logits[0, -1]
            key = (name, t)
            sums[key] = sums.get(key, 0.0) - torch.log_softmax(logits, dim=-1)[block[t]].item()
            counts[key] = counts.get(key, 0) + 1
            num_bytes[key] = num_bytes.get(key, 0) + int(tiny_tokens.num_bytes_by_id[block[t]])
        if index == 20:
            break
    for row, name in enumerate(losses.documents):
        for t in range(1, CONTEXT + 1):
            if counts.get((name, t)) != losses.num_tokens[row, t - 1]:
                continue  # a document that the loop did not finish
            assert losses.loss_sum_nats[row, t - 1] == pytest.approx(sums[name, t], abs=1e-9)
            assert losses.num_bytes[row, t - 1] == num_bytes[name, t]
    assert len({name for name, _ in counts}) >= 7


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_batch_of_8_equals_8_batches_of_1(architecture, planned, windows, tiny_tokens):
    model = build_model(planned[architecture], vocab_size=tiny_tokens.vocab_size).double()
    one, eight = (_score(model, windows, tiny_tokens, batch_blocks=size) for size in (1, 8))
    assert one.documents == eight.documents
    np.testing.assert_array_equal(one.num_tokens, eight.num_tokens)
    np.testing.assert_allclose(one.loss_sum_nats, eight.loss_sum_nats, rtol=1e-12)


def test_every_window_is_scored_the_last_partial_batch_among_them(planned, windows, tiny_tokens):
    assert len(windows) % 7 != 0
    losses = _score(build_model(planned["lstm"], vocab_size=tiny_tokens.vocab_size), windows, tiny_tokens, batch_blocks=7)
    assert losses.num_blocks.sum() == len(windows)
    assert (losses.num_tokens.sum(axis=0) == len(windows)).all()


def test_a_loss_that_is_not_finite_names_document_and_position(windows, tiny_tokens):
    model = _Uniform(tiny_tokens.vocab_size)
    model.logits.data[:] = math.nan
    with pytest.raises(ValueError, match=r"loss of nan at context position 1 of document '\S+\.txt', so it cannot be scored"):
        _score(model, windows, tiny_tokens)


def test_scoring_trainer_evaluation_and_metric_give_the_same_numbers(planned, windows, tiny_tokens):
    evaluate = pytest.importorskip("evaluate")
    model = build_model(planned["gpt2"], vocab_size=tiny_tokens.vocab_size).eval()
    scored = _score(model, windows, tiny_tokens)

    metric = evaluate.load(str(Path(hf_ctxscale.__file__).parent / "metrics" / "per_position_loss"))
    validation = ValidationLoss(CONTEXT)
    documents = tiny_tokens.split("test").documents
    for first in range(0, len(windows), 6):
        drawn = [windows[index] for index in range(first, min(first + 6, len(windows)))]
        batch = collate_blocks([window.block for window in drawn])
        with torch.no_grad():
            losses_BT = reduce_to_losses((model(batch["input_ids"]).logits,), batch["labels"])
        last = first + 6 >= len(windows)
        evaluated = validation(type("Prediction", (), {"predictions": losses_BT}), last)
        metric.add_batch(predictions=losses_BT, document_ids=[documents[window.document_T[0]] for window in drawn])
    measured = metric.compute()

    expected = mean_loss(scored)
    assert evaluated["validation_loss_nats"] == pytest.approx(expected.value, abs=1e-6)
    assert measured["mean_loss_nats"] == pytest.approx(expected.value, abs=1e-6)
    assert measured["mean_loss_nats_low"] == pytest.approx(expected.low, abs=1e-6)
    np.testing.assert_allclose(measured["loss_nats"], loss_curve(scored), atol=1e-6)
    assert "loss" not in evaluated
    assert "loss" not in measured


def test_a_scored_run_leaves_losses_and_a_record_that_fit_together(planned, tiny_settings, tiny_tokens, tmp_path):
    study = Study(tmp_path)
    record = train_run(planned["lstm"], study=study, settings=tiny_settings, tokens=tiny_tokens)
    score = score_run(record, study=study, scoring=tiny_settings.scoring, tokens=tiny_tokens)

    plan = plan_run_score(record, study=study, scoring=tiny_settings.scoring, tokens=tiny_tokens)
    assert score.score_id == plan.record.score_id
    assert plan.done == score
    assert study.score_records() == [ScoreRecord.model_validate_json(study.score_file(score.score_id).read_text())]
    losses = load_losses(study.losses_file(score.score_id))
    expected = held_out_windows(tiny_tokens, split="test", scoring=tiny_settings.scoring, context_tokens=CONTEXT)
    assert score.num_blocks == len(expected) == losses.num_blocks.sum()
    assert score.num_documents == len(losses.documents) == expected.num_documents
    assert score.num_tokens == losses.num_tokens.sum() == CONTEXT * len(expected)
    assert score.model == f"runs/{record.run_id}/model"

    model = AutoModelForCausalLM.from_pretrained(study.folder / score.model)
    np.testing.assert_allclose(losses.loss_sum_nats, _score(model, expected, tiny_tokens).loss_sum_nats, rtol=1e-5)


def test_every_model_of_a_study_is_scored_on_the_same_windows(tiny_settings, tiny_tokens):
    first, second = (held_out_windows(tiny_tokens, split="test", scoring=tiny_settings.scoring, context_tokens=CONTEXT) for _ in range(2))
    np.testing.assert_array_equal(first.starts, second.starts)
    other = held_out_windows(
        tiny_tokens, split="test", scoring=tiny_settings.scoring.model_copy(update={"windows_seed": 1}), context_tokens=CONTEXT
    )
    assert not np.array_equal(first.starts, other.starts)
