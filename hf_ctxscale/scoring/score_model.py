"""score_model: losses of a causal LM at every context position, as sums per document.

Shapes: B blocks, T context positions, V vocabulary size.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from hf_ctxscale.analysis.positions import PositionLosses, PositionSums
from hf_ctxscale.data.blocks import WithinWindows


@torch.inference_mode()
def score_model(
    model: PreTrainedModel,
    windows: WithinWindows,
    *,
    documents: Sequence[str],
    num_bytes_by_id: np.ndarray,
    batch_blocks: int,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> PositionLosses:
    """Scores every window from a fresh state; position t of the result is the prediction made after t tokens of the window.

    Args:
        model: any causal LM whose logits (B, T, V) are computed in float32 or better.
        windows: blocks of T+1 tokens inside documents.
        documents: ids of the split's documents, which the windows' indices point into.
        num_bytes_by_id: (V,) bytes of text behind each token id.
        batch_blocks: blocks per forward pass; changes nothing but speed and memory.
        show: called with the windows done and their total.

    Returns:
        Sums in float64 with counts, one row per document.

    Raises:
        ValueError: a logit is not finite; the document is named.
    """
    assert next(model.parameters()).dtype in (torch.float32, torch.float64), "log-likelihoods need float32 or better"
    model.eval()
    device = model.device
    sums = PositionSums(windows.context_tokens)
    for first in range(0, len(windows), batch_blocks):
        drawn = [windows[index] for index in range(first, min(first + batch_blocks, len(windows)))]
        block_BS = torch.from_numpy(np.stack([block for block, _ in drawn]))
        batch_documents = [documents[index] for _, index in drawn]
        targets_BT = block_BS[:, 1:].contiguous()
        logits_BTV = model(input_ids=block_BS[:, :-1].contiguous().to(device)).logits
        losses_BT = functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten().to(device), reduction="none").view(
            targets_BT.shape
        )
        if not losses_BT.isfinite().all():
            row, position = (int(index) for index in (~losses_BT.isfinite()).nonzero()[0])
            raise ValueError(
                f"the loss at context position {position + 1} of document {batch_documents[row]!r} is not finite; the model cannot be scored."
            )
        sums.add(losses_BT.double().cpu().numpy(), documents=batch_documents, num_bytes_BT=num_bytes_by_id[targets_BT.numpy()])
        show(first + len(drawn), len(windows))
    return sums.result()
