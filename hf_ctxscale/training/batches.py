"""collate_blocks: blocks of T+1 tokens as a batch in which all T positions are trained.

Shapes: B blocks, T context positions, V vocabulary size.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional


def collate_blocks(blocks: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """Stacks blocks (T+1,) into inputs and targets (B, T).

    The targets go in twice: transformers computes no loss without ``labels``, and shifts those itself, away from the last position, unless
    ``shift_labels`` says that it is done.
    """
    block_BS = torch.from_numpy(np.stack(blocks))
    targets_BT = block_BS[:, 1:].contiguous()
    return {"input_ids": block_BS[:, :-1].contiguous(), "labels": targets_BT, "shift_labels": targets_BT}


def token_losses(logits_BTV: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood (B, T) in nats of each target, from logits taken to float32 where they are in less."""
    logits = logits_BTV if logits_BTV.dtype == torch.float64 else logits_BTV.float()
    return functional.cross_entropy(logits.flatten(0, 1), targets_BT.flatten(), reduction="none").view(targets_BT.shape)
