"""Made-up scores: losses by position, by bytes of context and by cut of one set of documents."""

from typing import Any

import numpy as np

from hf_ctxscale.analysis.byte_bins import BYTE_BINS, byte_bin_of
from hf_ctxscale.analysis.positions import PositionLosses, save_losses
from hf_ctxscale.analysis.scored import Scored
from hf_ctxscale.records import AblationRecord, Cut, ScoreRecord

CUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def record_of(**changes: Any) -> ScoreRecord:
    values: dict[str, Any] = {
        "score_id": changes.get("model", "a/model"),
        "model": "a/model",
        "corpus": "made-up",
        "split": "test",
        "windows": "within",
        "windows_seed": 0,
        "max_windows_per_document": 32,
        "context_tokens": 256,
        "dtype": "float32",
        "num_documents": 30,
        "num_documents_too_short": 0,
        "num_blocks": 1,
        "num_tokens": 1,
        "tokens_fingerprint": "t",
        "weights_fingerprint": "w",
    }
    return ScoreRecord(**values | changes)


def losses_by_bytes(losses: PositionLosses) -> PositionLosses:
    """The same losses by bytes of context, where every token has the mean number of bytes of its document."""
    bytes_per_token_D = losses.num_bytes.sum(axis=1) / losses.num_tokens.sum(axis=1)
    bins_DT = byte_bin_of(np.round(bytes_per_token_D[:, None] * np.arange(1, losses.context_tokens + 1)))
    onto_DTW = bins_DT[:, :, None] == np.arange(len(BYTE_BINS))
    sums = (np.einsum("dt,dtw->dw", array, onto_DTW) for array in (losses.num_tokens, losses.num_bytes, losses.loss_sum_nats))
    return PositionLosses(losses.documents, losses.num_blocks, *sums)


def ablation_from_excess(excess_K: np.ndarray, *, num_documents: int = 30, noise_sd: float = 0.01, seed: int = 0) -> PositionLosses:
    """Documents of 32 to 160 targets with a level of their own, plus the excess of each cut, plus noise at all cuts but the last."""
    rng = np.random.default_rng(seed)
    num_tokens_D = 32 * rng.integers(1, 6, num_documents)
    num_tokens_DK = np.repeat(num_tokens_D[:, None], len(excess_K), axis=1)
    noise_DK = rng.normal(0, noise_sd, num_tokens_DK.shape) * (np.arange(len(excess_K)) < len(excess_K) - 1)
    loss_DK = 3 + rng.normal(0, 0.3, num_documents)[:, None] + excess_K + noise_DK
    documents = tuple(f"doc-{d}" for d in range(num_documents))
    return PositionLosses(documents, np.ones(num_documents, np.int64), num_tokens_DK, 3 * num_tokens_DK, num_tokens_DK * loss_DK)


def excess_until(reach_tokens: int) -> np.ndarray:
    """A curve over CUTS that falls by 0.1 nats with every doubling of the context until ``reach_tokens``, and is 0 from there on."""
    return 0.1 * np.maximum(np.log2(reach_tokens / np.array(CUTS)), 0.0)


def ablation_record(*, cuts: tuple[int, ...] = CUTS) -> AblationRecord:
    ranges = tuple(Cut(context_tokens=k, context_from=k, context_to=max(k, min(9 * k // 8, cuts[-1]))) for k in cuts)
    return AblationRecord(
        cuts=ranges,
        num_rounds=1,
        max_rounds=4,
        targets_per_segment=32,
        num_targets=1000,
        wanted_std_error_nats=0.007,
        std_error_nats=0.005,
        cost=1.5,
    )


def scored_model(losses: PositionLosses, *, reach_tokens: int | None = None, num_documents: int = 30, **changes: Any) -> Scored:
    """A score of these losses; with an ablation where ``reach_tokens`` says how far back it gains."""
    ablation = None
    if reach_tokens is not None:
        ablation = ablation_from_excess(excess_until(reach_tokens), num_documents=num_documents, seed=reach_tokens)
        # The same targets for every model.
        shared = ablation_from_excess(excess_until(1), num_documents=num_documents).num_tokens
        per_token = ablation.loss_sum_nats / ablation.num_tokens
        ablation = PositionLosses(ablation.documents, ablation.num_blocks, shared, 3 * shared, shared * per_token)
        changes["ablation"] = ablation_record()
    record = record_of(**{"context_tokens": losses.context_tokens} | changes)
    return Scored(record, losses, losses_by_bytes(losses), ablation)


def write_scored(study: Any, scored: Scored) -> None:
    """The files of a score as the stage before would write them."""
    score_id = scored.record.score_id
    save_losses(study.losses_file(score_id), scored.losses)
    if scored.by_bytes is not None:
        save_losses(study.byte_losses_file(score_id), scored.by_bytes)
    if scored.ablation is not None:
        save_losses(study.ablation_file(score_id), scored.ablation)
    study.score_file(score_id).write_text(scored.record.model_dump_json())
