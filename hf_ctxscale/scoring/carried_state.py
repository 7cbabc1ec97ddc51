"""score_carried: the same targets as `score_windows`, but each window begins in the state that the document so far has left in a recurrent model.

A named variant: a curve over positions then says nothing of a fresh state, which is the primary measurement.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.positions import PositionSums
from hf_ctxscale.data.blocks import Windows, WithinWindows
from hf_ctxscale.scoring.resuming import Kept, sum_units
from hf_ctxscale.scoring.score_model import Show, WindowLosses, add_losses
from hf_ctxscale.scoring.token_losses import TokenLosses, losses_of_logits
from hf_ctxscale.study import UserError

# What a forward pass calls the state that it takes, and gives back under the same name.
STATE_NAMES = ("cache_params", "state")
AGREE_NATS = 1e-3
ROUNDING_NATS = 1e-5
CHECKED_TOKENS = 32


def score_carried(
    token_losses: TokenLosses,
    windows: Windows,
    *,
    documents: Sequence[str],
    num_bytes_by_id: np.ndarray,
    batch_blocks: int,
    bos_ids: tuple[int, ...] = (),
    kept: Kept | None = None,
    show: Show = lambda done, total: None,
    name: str = "",
) -> WindowLosses:
    """Reads every document from its first token to its last window, one document at a time; arguments and results as for `score_windows`.

    Args:
        batch_blocks: not used: a document is read by itself.
        bos_ids: stand before every document.

    Raises:
        UserError: the windows are not `within` ones, or the model has no state that it can take up again.
    """
    del batch_blocks
    if not isinstance(windows, WithinWindows):
        raise UserError("a carried state is measured on windows inside documents; use --windows within with --carry-state.")
    reader = _Reader(token_losses.model, name=name)
    reader.check(torch.from_numpy(np.concatenate([windows.before(0), windows[0].block])[None]))
    token_losses.way, token_losses.reason = "logits", "the state is carried from window to window"
    by_document = np.split(np.arange(len(windows)), np.flatnonzero(np.diff(windows.document_indices)) + 1)

    def do_unit(unit: int, sums: Mapping[str, PositionSums]) -> None:
        state, read = None, np.zeros(0, dtype=np.int64)
        for index in by_document[unit].tolist():
            before, window = windows.before(index), windows[index]
            gap = before[len(read) :] if len(read) else np.concatenate([np.array(bos_ids, dtype=np.int64), before])
            for first in range(0, len(gap), windows.context_tokens):
                _, state = reader(torch.from_numpy(gap[None, first : first + windows.context_tokens]), state)
            logits, state = reader(torch.from_numpy(window.block[None, :-1]), state)
            losses_BT = losses_of_logits(logits, torch.from_numpy(window.block[None, 1:]).to(logits.device)).double().cpu().numpy()
            add_losses(sums, losses_BT, [window], documents=documents, num_bytes_by_id=num_bytes_by_id, name=name)
            read = np.concatenate([before, window.block[:-1]])

    losses = sum_units(
        len(by_document),
        widths={"positions": windows.context_tokens, "bytes": len(BYTE_BINS)},
        do_unit=do_unit,
        order=documents,
        kept=kept,
        show=show,
    )
    return WindowLosses(losses["positions"], losses["bytes"])


class _Reader:
    """A recurrent model that takes up its state."""

    def __init__(self, model: PreTrainedModel, *, name: str) -> None:
        self._model = model
        self._name = name
        accepted = inspect.signature(model.forward).parameters
        self._state_name = next((state for state in STATE_NAMES if state in accepted), None)
        if self._state_name is None:
            raise UserError(
                f"model {name!r} ({model.config.model_type}) is not recurrent: it has no state of constant size to carry; leave out --carry-state."
            )

    @torch.inference_mode()
    def __call__(self, input_ids_BS: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        """Logits, and the state after the input."""
        assert self._state_name is not None
        given = {} if state is None else {self._state_name: state}
        outputs = self._model(input_ids=input_ids_BS.to(self._model.device), use_cache=True, **given)
        return outputs.logits, getattr(outputs, self._state_name, None)

    def check(self, block_BS: torch.Tensor) -> None:
        """Raises a UserError where reading in two parts is not the same as reading at once."""
        ids = block_BS[:, : 2 * CHECKED_TOKENS]
        inputs, targets = ids[:, :-1], ids[:, 1:].to(self._model.device)
        middle = inputs.shape[1] // 2
        refusal = (
            f"model {self._name!r} ({self._model.config.model_type}) cannot take up its state over several tokens: "
            "{reason}; leave out --carry-state."
        )
        wanted = losses_of_logits(self(inputs, None)[0], targets)
        try:
            first, state = self(inputs[:, :middle], None)
            second, _ = self(inputs[:, middle:], state)
        except Exception as error:  # a model may do anything with a state that it did not expect
            raise UserError(refusal.format(reason=str(error).splitlines()[0] if str(error) else type(error).__name__)) from error
        fresh, _ = self(inputs[:, middle:], None)
        wrong = (losses_of_logits(torch.cat([first, second], dim=1), targets) - wanted).abs()[0]
        worth = (losses_of_logits(fresh, targets[:, middle:]) - wanted[:, middle:]).abs()[0]
        # A model that drops its state, or a part that reaches far back, errs by all that it is worth, which is little where little was learnt.
        far = len(worth) // 2
        allowed_far = max(ROUNDING_NATS, float(worth[far:].mean()) / 10)
        if not (float(wrong.max()) <= AGREE_NATS and float(wrong[middle + far :].mean()) <= allowed_far):
            raise UserError(
                refusal.format(reason=f"read in two parts, a text loses up to {float(wrong.max()):.2g} nats more or less than read at once")
            )
