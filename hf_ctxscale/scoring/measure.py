"""measure: one model on one set of windows, from the plan of a score to its files; what was begun and not finished is taken up again."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import torch
from transformers import PreTrainedModel

from hf_ctxscale.analysis.positions import save_losses
from hf_ctxscale.data.blocks import PackedWindows, StartWindows, Windows, WithinWindows
from hf_ctxscale.data.documents import Split
from hf_ctxscale.data.tokens import Tokens, TokenSplit
from hf_ctxscale.files import write_record
from hf_ctxscale.records import ParameterGroups, ScoreRecord, WindowPolicy
from hf_ctxscale.scoring.ablation import ablate_context
from hf_ctxscale.scoring.carried_state import score_carried
from hf_ctxscale.scoring.open_model import OpenedModel
from hf_ctxscale.scoring.resuming import Kept, processes
from hf_ctxscale.scoring.score_model import score_windows
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.sizing.parameters import count_parameters
from hf_ctxscale.study import Study

PACKAGES = ("hf-ctxscale", "torch", "transformers", "tokenizers", "accelerate")
# Tokens per forward pass where the user names no number of windows: enough to keep the device busy.
BATCH_TOKENS = {"cpu": 16_384, "cuda": 131_072}
# All that decides a score's numbers; a score of other values is another score.
DECIDING = (
    *("split", "windows", "windows_seed", "max_windows_per_document", "bos_ids", "carry_state", "context_tokens", "dtype"),
    *("tokens_fingerprint", "num_documents_not_shared"),
)

Show = Callable[[str, int, int], None]  # what is being done, done, total


@dataclass(frozen=True)
class Plan:
    """A score that is to be made: the record as far as it is known before the model is opened, and what to feed.

    Attributes:
        only: documents of the split that the windows were taken from; None: all of them.
    """

    record: ScoreRecord
    tokens: Tokens
    windows: Windows
    split: Split
    study: Study
    batch_blocks: int | None
    only: frozenset[str] | None = None

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids that the windows' indices point into."""
        split = self.tokens.split(self.split)
        return (split if self.only is None else split.only(self.only)).documents

    @property
    def done(self) -> ScoreRecord | None:
        """The record of the finished score; None where it is not finished."""
        file = self.study.score_file(self.record.score_id)
        return ScoreRecord.model_validate_json(file.read_text()) if file.is_file() else None


def choose_windows(split: TokenSplit, *, policy: WindowPolicy, context_tokens: int, max_windows_per_document: int, seed: int) -> Windows:
    """The windows of a split by one of the three policies.

    Raises:
        UserError: no document is long enough.
    """
    if policy == "start":
        return StartWindows(split, context_tokens)
    if policy == "packed":
        return PackedWindows(split, context_tokens)
    return WithinWindows(split, context_tokens=context_tokens, max_windows_per_document=max_windows_per_document, seed=seed)


def with_score_id(record: ScoreRecord, *, prefix: str) -> ScoreRecord:
    """The record with its score's folder name: the model, the window policy, and a hash of all that decides the numbers."""
    deciding = {name: getattr(record, name) for name in DECIDING}
    if record.run_id is None:
        deciding |= {"weights_fingerprint": record.weights_fingerprint, "model": record.model}
    digest = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:6]
    carried = "-carried" if record.carry_state else ""
    return record.model_copy(update={"score_id": f"{prefix}-{record.windows}{carried}-{digest}"})


def measure(plan: Plan, opened: OpenedModel, *, show: Show = lambda what, done, total: None) -> ScoreRecord:
    """Scores the windows; losses first and the record last, so that a record means a whole score.

    Raises:
        UserError: a loss is not finite, memory is too small for one window, or the model cannot carry its state.
    """
    started = time.monotonic()
    study, record, token_losses = plan.study, plan.record, TokenLosses(opened.model)
    device = opened.model.device.type
    batch_blocks = plan.batch_blocks or max(1, BATCH_TOKENS.get(device, BATCH_TOKENS["cpu"]) // record.context_tokens)
    score = score_carried if record.carry_state else score_windows
    losses = score(
        token_losses,
        plan.windows,
        documents=plan.documents,
        num_bytes_by_id=plan.tokens.num_bytes_by_id,
        batch_blocks=batch_blocks,
        bos_ids=record.bos_ids,
        kept=_kept(plan, "score", batch_blocks),
        show=lambda done, total: show("windows", done, total),
        name=opened.name,
    )
    config = opened.model.config.get_text_config(decoder=True)
    finished = record.model_copy(
        update={
            "num_tokens": int(losses.by_position.num_tokens.sum()),
            "model_type": opened.model.config.model_type,
            "num_layers": getattr(config, "num_hidden_layers", None),
            "hidden_size": getattr(config, "hidden_size", None),
            "params": _parameters(opened.model),
            "head": token_losses.way if token_losses.reason is None else f"{token_losses.way}: {token_losses.reason}",
            "batch_blocks": batch_blocks,
            "num_processes": processes().num_processes,
            "device": str(torch.cuda.get_device_name(opened.model.device)) if device == "cuda" else device,
            "packages": {name: version(name) for name in PACKAGES},
            "seconds": round(time.monotonic() - started, 3),
        }
    )
    if processes().is_main_process:
        save_losses(study.losses_file(record.score_id), losses.by_position)
        save_losses(study.byte_losses_file(record.score_id), losses.by_bytes)
        write_record(study.score_file(record.score_id), finished)
    processes().wait_for_everyone()
    return finished


def measure_ablation(
    plan: Plan, opened: OpenedModel, record: ScoreRecord, *, min_rounds: int, show: Show = lambda what, done, total: None
) -> ScoreRecord:
    """Adds the ablation to a finished score.

    Args:
        min_rounds: at least so many rounds, so that models scored together share their targets.
    """
    study, batch_blocks = plan.study, record.batch_blocks or 1
    ablation = ablate_context(
        TokenLosses(opened.model),
        plan.windows,
        documents=plan.documents,
        num_bytes_by_id=plan.tokens.num_bytes_by_id,
        batch_blocks=batch_blocks,
        bos_ids=record.bos_ids,
        min_rounds=min_rounds,
        kept=_kept(plan, "ablation", batch_blocks),
        show=show,
        name=opened.name,
    )
    finished = record.model_copy(update={"ablation": ablation.record})
    if processes().is_main_process:
        save_losses(study.ablation_file(record.score_id), ablation.losses)
        write_record(study.score_file(record.score_id), finished)
    processes().wait_for_everyone()
    return finished


def _parameters(model: PreTrainedModel) -> ParameterGroups | None:
    """None where a model has no token embedding to set apart."""
    if getattr(model.get_input_embeddings(), "weight", None) is None:
        return None
    return count_parameters(model).groups


def _kept(plan: Plan, name: str, batch_blocks: int) -> Kept:
    folder = plan.study.scores / plan.record.score_id
    folder.mkdir(parents=True, exist_ok=True)
    identity = f"{plan.record.score_id} {plan.record.weights_fingerprint} {batch_blocks} {len(plan.windows)}"
    return Kept(folder, name, identity)
