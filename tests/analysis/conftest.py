"""Losses and whole study folders made up from known curves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.analysis.measured import Measured, load_measured
from hf_ctxscale.analysis.positions import PositionLosses, save_losses
from hf_ctxscale.files import write_record
from hf_ctxscale.records import ParameterGroups, RunRecord, ScoreRecord
from hf_ctxscale.study import Study


def losses_from_curve(
    curve_T: np.ndarray, *, num_documents: int = 30, document_sd: float = 0.3, noise_sd: float = 0.01, seed: int = 0, noise_seed: int = 1
) -> PositionLosses:
    """Documents of 1 to 16 windows whose loss is the curve, plus a level of its own (of `seed`), plus noise (of `noise_seed`)."""
    rng, noise_rng = np.random.default_rng(seed), np.random.default_rng(noise_seed)
    num_blocks = rng.integers(1, 17, num_documents)
    level_D = rng.normal(0, document_sd, num_documents)
    tokens = np.repeat(num_blocks[:, None], len(curve_T), axis=1)
    noise = noise_rng.normal(0, noise_sd, tokens.shape) * np.sqrt(tokens)
    documents = tuple(f"doc-{d}" for d in range(num_documents))
    return PositionLosses(documents, num_blocks, tokens, 3 * tokens, tokens * (curve_T + level_D[:, None]) + noise)


class StudyMaker:
    """Writes records and losses as the stages before `analysis` would."""

    def __init__(self, folder: Path) -> None:
        self.study = Study(folder)

    def add_run(self, run_id: str, architecture: str, num_layers: int, size: int, **changes: Any) -> RunRecord:
        values: dict[str, Any] = {
            "run_id": run_id,
            "state": "finished",
            "settings_hash": "0",
            "architecture": architecture,
            "num_layers": num_layers,
            "hidden_size": 64,
            "target_body_params": size,
            "params": ParameterGroups(token_embedding=1000, position_embedding=0, output_head=0, body=size + num_layers),
            "formula_body_params": size,
            "seed": 0,
            "learning_rate": 1e-3,
            "train_tokens": 1_000_000,
            "train_steps": 500,
            "batch_blocks": 8,
            "context_tokens": 256,
            "precision": "float32",
            "flops_per_token": 6.0 * size,
            "train_flops": 6e6 * size,
            "six_nd_flops": 6e6 * size,
            "train_seconds": 10.0,
            "train_loss_nats": 3.0,
            "validation_loss_nats": 3.0,
        }
        record = RunRecord(**values | changes)
        write_record(self.study.run_file(run_id), record)
        return record

    def add_score(self, score_id: str, losses: PositionLosses, *, run_id: str | None, **changes: Any) -> ScoreRecord:
        values: dict[str, Any] = {
            "score_id": score_id,
            "model": f"runs/{run_id}/model" if run_id else "someone/model",
            "run_id": run_id,
            "corpus": "made-up",
            "split": "test",
            "windows": "within",
            "windows_seed": 0,
            "max_windows_per_document": 32,
            "context_tokens": losses.context_tokens,
            "dtype": "float32",
            "num_documents": len(losses.documents),
            "num_documents_too_short": 0,
            "num_blocks": int(losses.num_blocks.sum()),
            "num_tokens": int(losses.num_tokens.sum()),
            "tokens_fingerprint": "t",
            "weights_fingerprint": "w",
        }
        record = ScoreRecord(**values | changes)
        save_losses(self.study.losses_file(score_id), losses)
        write_record(self.study.score_file(score_id), record)
        return record

    def add(
        self,
        architecture: str,
        num_layers: int,
        size: int,
        curve_T: np.ndarray,
        *,
        seed: int = 0,
        tag: str = "",
        losses: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A finished, scored run; returns its id."""
        run_id = f"{architecture}-{num_layers}-{size}-s{seed}{tag}"
        number = sum(map(ord, run_id))
        made = losses_from_curve(curve_T, **{"noise_seed": number, **(losses or {})})
        self.add_run(run_id, architecture, num_layers, size, seed=seed, **changes)
        self.add_score(f"score-{run_id}", made, run_id=run_id)
        return run_id


def lstm_curve(size: int, num_layers: int = 1, *, context_tokens: int = 256) -> np.ndarray:
    """Level from 20 tokens on, falling slowly with size and a little with depth."""
    t = np.arange(1, context_tokens + 1.0)
    return 3.4 * (200_000 / size) ** 0.06 - 0.1 * (num_layers - 1) + 2.0 * np.exp(-t / 4)


def transformer_curve(size: int, *, context_tokens: int = 256) -> np.ndarray:
    """Still falling at the last position, and falling faster with size."""
    t = np.arange(1, context_tokens + 1.0)
    return 2.4 * (200_000 / size) ** 0.10 + 2.5 * t**-0.4


@pytest.fixture
def make_losses() -> Callable[..., PositionLosses]:
    return losses_from_curve


@pytest.fixture
def maker(tmp_path: Path) -> StudyMaker:
    """An empty study folder."""
    return StudyMaker(tmp_path / "study")


@pytest.fixture
def curves() -> dict[str, Callable[..., np.ndarray]]:
    return {"lstm": lstm_curve, "transformer": transformer_curve}


@pytest.fixture
def figure(maker: StudyMaker) -> StudyMaker:
    """A study as in the figure: LSTMs of 1 and 2 layers and Transformers, three sizes each."""
    for size in (25_000, 75_000, 200_000):
        for num_layers in (1, 2):
            curve = lstm_curve(size, num_layers)
            maker.add("lstm", num_layers, size, curve, validation_loss_nats=float(curve.mean()))
        curve = transformer_curve(size)
        maker.add("gpt2", 2, size, curve, validation_loss_nats=float(curve.mean()))
    return maker


@pytest.fixture
def seeded_figure(maker: StudyMaker) -> StudyMaker:
    """The same with three seeds of each run, which differ by about 0.005 nats."""
    rng = np.random.default_rng(0)
    for size in (25_000, 75_000, 200_000):
        for seed in range(3):
            for num_layers in (1, 2):
                curve = lstm_curve(size, num_layers) + rng.normal(0, 0.005)
                maker.add("lstm", num_layers, size, curve, seed=seed, validation_loss_nats=float(curve.mean()))
            curve = transformer_curve(size) + rng.normal(0, 0.005)
            maker.add("gpt2", 2, size, curve, seed=seed, validation_loss_nats=float(curve.mean()))
    return maker


@pytest.fixture
def two_by_three(maker: StudyMaker) -> Measured:
    """LSTMs of two sizes with three seeds each, at 16 positions; documents of unequal length."""
    for size in (25_000, 200_000):
        for seed in range(3):
            maker.add("lstm", 1, size, np.linspace(4.0, 3.0, 16) + 0.05 * seed - size / 1e6, seed=seed, losses={"noise_sd": 0.1})
    return load_measured(maker.study)
