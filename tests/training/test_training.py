"""One run through the Trainer: batches, validation, history, resuming, failing, and the losses of a fixed tiny run."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.data.blocks import WithinWindows
from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study
from hf_ctxscale.training.batches import collate_blocks, token_losses
from hf_ctxscale.training.train_run import build_model, build_trainer, last_whole_checkpoint, train_run
from hf_ctxscale.training.trainer import BlockTrainer, log_spaced_steps

GOLDEN = Path(__file__).parent / "golden_losses.json"


def _train(record, *, folder, settings, tokens, show=lambda step, logs: None) -> RunRecord:
    return train_run(record, study=Study(folder), settings=settings, tokens=tokens, show=show)


def test_a_block_becomes_inputs_and_the_next_tokens():
    batch = collate_blocks([np.arange(5), np.arange(10, 15)])
    assert batch["input_ids"].tolist() == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert batch["labels"].tolist() == batch["shift_labels"].tolist() == [[1, 2, 3, 4], [11, 12, 13, 14]]
    assert all(tensor.is_contiguous() for tensor in batch.values())


def test_uniform_logits_give_ln_vocab_at_every_position():
    losses = token_losses(torch.zeros(2, 5, 300), torch.randint(300, (2, 5)))
    torch.testing.assert_close(losses, torch.full((2, 5), math.log(300)))


def test_losses_of_bfloat16_logits_are_taken_in_float32():
    logits = torch.randn(2, 5, 300).bfloat16()
    targets = torch.randint(300, (2, 5))
    losses = token_losses(logits, targets)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(
        losses, functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view(2, 5)
    )


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_the_last_position_is_trained(architecture, planned):
    record = planned[architecture]
    model = build_model(record, vocab_size=300)
    batch = collate_blocks([np.random.default_rng(0).integers(300, size=record.context_tokens + 1)])
    model(**batch).loss.backward()
    logits = model(batch["input_ids"]).logits
    expected = functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
    torch.testing.assert_close(model(**batch).loss, expected)
    if architecture == "gpt2":
        assert (model.transformer.wpe.weight.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("architecture", sorted(TABLE))
def test_a_run_learns_and_leaves_an_ordinary_model_folder(architecture, planned, tiny_settings, tiny_tokens, tmp_path):
    record = _train(planned[architecture], folder=tmp_path, settings=tiny_settings, tokens=tiny_tokens)
    study = Study(tmp_path)

    assert record.state == "finished"
    assert record == RunRecord.model_validate_json(study.run_file(record.run_id).read_text())
    assert record.validation_loss_nats < math.log(300) - 1
    assert record.train_seconds > 0
    assert not (study.run_folder(record.run_id) / "checkpoints").exists()

    model = AutoModelForCausalLM.from_pretrained(study.model_folder(record.run_id))
    assert model.num_parameters() == record.params.total
    assert model.config.use_cache == (architecture != "gpt2"), "what the Trainer switches off while it trains is back"
    assert AutoTokenizer.from_pretrained(study.model_folder(record.run_id)).vocab_size == tiny_tokens.vocab_size

    history = pq.read_table(study.history_file(record.run_id)).to_pylist()
    assert history[-1]["step"] == record.train_steps
    assert history[-1]["tokens"] == record.train_tokens
    validated = [row["step"] for row in history if row["validation_loss_nats"] is not None]
    assert tuple(validated) == log_spaced_steps(record.train_steps, num_points=3)

    curves = pq.read_table(study.validation_curves_file(record.run_id))
    means = {row["step"]: row["validation_loss_nats"] for row in history if row["step"] in validated}
    for step, mean in means.items():
        rows = [row for row in curves.to_pylist() if row["step"] == step]
        assert {row["document"] for row in rows} <= set(tiny_tokens.split("validation").documents)
        assert sum(map(sum, (row["loss_sum_nats"] for row in rows))) / sum(map(sum, (row["num_tokens"] for row in rows))) == pytest.approx(
            mean
        )
    bins = json.loads(curves.schema.metadata[b"bins"])
    assert (bins[0][0], bins[-1][1]) == (1, record.context_tokens)
    assert all(len(row["num_tokens"]) == len(bins) for row in curves.to_pylist())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_validation_is_the_mean_over_windows_in_float32(precision, planned, tiny_settings, tiny_tokens, tmp_path):
    planned_run = planned["lstm"].model_copy(update={"precision": precision})
    record = _train(planned_run, folder=tmp_path, settings=tiny_settings, tokens=tiny_tokens)
    model = AutoModelForCausalLM.from_pretrained(Study(tmp_path).model_folder(record.run_id))
    windows = WithinWindows(
        tiny_tokens.split("validation"),
        context_tokens=8,
        max_windows_per_document=tiny_settings.scoring.max_windows_per_document,
        seed=tiny_settings.scoring.windows_seed,
        max_blocks=tiny_settings.training.validation_blocks,
    )
    losses = []
    for index in range(len(windows)):
        block = torch.from_numpy(windows[index].block)
        with torch.no_grad():
            losses.append(functional.cross_entropy(model(block[None, :-1]).logits[0].double(), block[1:], reduction="sum").item())
    assert record.validation_loss_nats == pytest.approx(sum(losses) / (8 * len(windows)), abs=1e-5)


def test_an_interrupted_run_continues_to_the_same_weights(planned, tiny_settings, tiny_tokens, tmp_path):
    record = planned["gpt2"]
    _train(record, folder=tmp_path / "whole", settings=tiny_settings, tokens=tiny_tokens)

    class Killed(BaseException):
        pass

    def kill_late(step, logs):
        if step > 0.7 * record.train_steps:
            raise Killed

    with pytest.raises(Killed):
        _train(record, folder=tmp_path / "broken", settings=tiny_settings, tokens=tiny_tokens, show=kill_late)
    broken = Study(tmp_path / "broken")
    resumed_from = last_whole_checkpoint(broken.run_folder(record.run_id) / "checkpoints")
    assert resumed_from is not None
    seen = []
    again = _train(record, folder=broken.folder, settings=tiny_settings, tokens=tiny_tokens, show=lambda step, logs: seen.append(step))
    assert again.state == "finished"
    assert min(seen) > int(resumed_from.rsplit("-", 1)[1]), "the run began anew instead of going on"

    whole, continued = (
        AutoModelForCausalLM.from_pretrained(Study(tmp_path / name).model_folder(record.run_id)).state_dict()
        for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], continued[name]) for name in whole)
    histories = [pq.read_table(Study(tmp_path / name).history_file(record.run_id)) for name in ("whole", "broken")]
    for column in ("step", "train_loss_nats", "validation_loss_nats", "learning_rate"):
        assert histories[0][column].to_pylist() == histories[1][column].to_pylist()
    curves = [pq.read_table(Study(tmp_path / name).validation_curves_file(record.run_id)) for name in ("whole", "broken")]
    assert curves[0].equals(curves[1], check_metadata=True)


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    assert last_whole_checkpoint(tmp_path) is None
    for step in (9, 10, 11):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")


def test_a_run_whose_loss_is_not_finite_is_marked_failed(planned, tiny_settings, tiny_tokens, tmp_path, monkeypatch):
    monkeypatch.setattr(
        BlockTrainer, "compute_loss", lambda self, model, inputs, **kwargs: sum(p.sum() for p in model.parameters()) * math.nan
    )
    record = _train(planned["lstm"], folder=tmp_path, settings=tiny_settings, tokens=tiny_tokens)
    assert record.state == "failed"
    assert "the training loss became nan by step 1; lower the learning rate" in record.reason
    assert record.validation_loss_nats is None
    assert not Study(tmp_path).model_folder(record.run_id).exists()


@pytest.mark.parametrize("architecture", ["lstm", "gpt2"])
def test_training_asks_for_no_logits_where_a_model_can_do_without(architecture, planned, tiny_settings, tiny_tokens, tmp_path):
    trainer = build_trainer(planned[architecture], settings=tiny_settings, tokens=tiny_tokens, checkpoints=tmp_path)
    batch = collate_blocks([np.arange(9), np.arange(1, 10)])
    trainer.model.train()
    loss, outputs = trainer.compute_loss(trainer.model, batch, return_outputs=True)
    assert (outputs.logits is None) == (architecture == "lstm")
    trainer.model.eval()
    same, outputs = trainer.compute_loss(trainer.model, batch, return_outputs=True)
    assert outputs.logits.shape[:2] == (2, 8)
    torch.testing.assert_close(loss, same)


@pytest.mark.parametrize(("num_steps", "num_points"), [(1, 10), (2, 10), (50, 3), (1000, 10), (7, 1)])
def test_validation_steps_are_log_spaced_and_end_with_the_run(num_steps, num_points):
    steps = log_spaced_steps(num_steps, num_points=num_points)
    assert steps[-1] == num_steps
    assert len(steps) <= num_points
    assert list(steps) == sorted(set(steps))
    assert steps[0] >= 1
    if num_steps == 1000:
        ratios = [after / before for before, after in itertools.pairwise(steps)]
        assert max(ratios) / min(ratios) < 1.1


def test_a_tiny_run_gives_the_recorded_losses(planned, tiny_settings, tiny_tokens, tmp_path):
    """Golden: re-record with `python tests/training/record_golden.py` after a change that is meant to move them."""
    golden = json.loads(GOLDEN.read_text())
    for architecture, record in planned.items():
        done = _train(record, folder=tmp_path, settings=tiny_settings, tokens=tiny_tokens)
        measured = {"train_loss_nats": done.train_loss_nats, "validation_loss_nats": done.validation_loss_nats}
        assert measured == pytest.approx(golden["losses"][architecture], abs=golden["tolerance"]), golden["environment"]
