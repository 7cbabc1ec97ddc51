"""head_loss: output head and cross entropy together, without all logits in memory.

Shapes: N rows (tokens), D width of what the head reads, V vocabulary size.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

# At most so many logits at once: 64 MiB in float32. Fewer rows leave a matrix product without work, more rows gain nothing.
LOGITS_PER_CHUNK = 2**24


class _ChunkedHeadLoss(torch.autograd.Function):
    """Sum of the rows' cross entropies; the gradients are computed chunk by chunk together with the loss, from logits that are then thrown away.

    Recomputing the logits in the backward pass would do too, at the price of a fourth matrix product beside three (the idea: Hsu et al. 2024, "Liger
    Kernel").
    """

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: torch.Tensor, weight_VD: torch.Tensor, targets_N: torch.Tensor, rows_per_chunk: int, with_gradients: bool
    ) -> torch.Tensor:
        """Sums the losses, and keeps both gradients where they will be asked for."""
        sums_dtype = torch.promote_types(weight_VD.dtype, torch.float32)
        loss = torch.zeros((), dtype=sums_dtype, device=hidden_ND.device)
        hidden_gradient = torch.empty_like(hidden_ND) if with_gradients else None
        weight_gradient = torch.zeros_like(weight_VD, dtype=sums_dtype) if with_gradients else None
        for start in range(0, len(hidden_ND), rows_per_chunk):
            rows = slice(start, start + rows_per_chunk)
            hidden, targets = hidden_ND[rows], targets_N[rows, None]
            log_probabilities = functional.log_softmax(functional.linear(hidden, weight_VD).to(sums_dtype), dim=-1)
            loss -= log_probabilities.gather(1, targets).sum()
            if hidden_gradient is not None and weight_gradient is not None:
                # Of the sum with respect to the logits: probabilities, less one at the target.
                gradient = log_probabilities.exp_()
                gradient.scatter_add_(1, targets, gradient.new_full(targets.shape, -1.0))
                gradient = gradient.to(hidden.dtype)
                torch.mm(gradient, weight_VD, out=hidden_gradient[rows])
                if gradient.dtype == sums_dtype:
                    weight_gradient.addmm_(gradient.T, hidden)
                else:
                    weight_gradient += gradient.T @ hidden
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        ctx.weight_dtype = weight_VD.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Scales what the forward pass has kept."""
        hidden_gradient, weight_gradient = ctx.saved_tensors
        return (
            hidden_gradient * loss_gradient.to(hidden_gradient.dtype),
            (weight_gradient * loss_gradient).to(ctx.weight_dtype),
            None,
            None,
            None,
        )


def head_loss(
    hidden_BTD: torch.Tensor,
    weight_VD: torch.Tensor,
    labels_BT: torch.Tensor,
    *,
    shift_labels: torch.Tensor | None = None,
    num_items_in_batch: torch.Tensor | int | None = None,
    ignore_index: int = -100,
    rows_per_chunk: int | None = None,
) -> torch.Tensor:
    """The cross entropy that transformers' ``ForCausalLMLoss`` gives, without its logits; rows without a target cost nothing.

    Where there are more logits than one chunk holds, the gradients are computed together with the loss, chunk by chunk, so that no logits wait for the
    backward pass; fewer go through plain autograd, which is faster. Logits are float32 or better before the log-softmax; under autocast their matrix
    products run in its type, with the weights' gradient summed in float32 over chunks.

    Args:
        hidden_BTD: what the head reads.
        weight_VD: the head's weights.
        labels_BT: position t is scored against labels[:, t+1].
        shift_labels: (B, T) instead of ``labels_BT``: position t is scored against shift_labels[:, t].
        num_items_in_batch: the sum of the losses is divided by it; None: by the number of targets.
        ignore_index: a label that is no target.
        rows_per_chunk: None: as many as make LOGITS_PER_CHUNK logits.

    Returns:
        A scalar, nats per token; NaN where there is no target at all and ``num_items_in_batch`` is None.
    """
    if shift_labels is None:
        shift_labels = functional.pad(labels_BT, (0, 1), value=ignore_index)[..., 1:]
    targets_N = shift_labels.flatten().to(hidden_BTD.device)
    rows = (targets_N != ignore_index).nonzero()[:, 0]
    hidden_ND = hidden_BTD.flatten(0, 1)
    if len(rows) < len(targets_N):
        hidden_ND, targets_N = hidden_ND.index_select(0, rows), targets_N.index_select(0, rows)
    device_type = hidden_ND.device.type
    if torch.is_autocast_enabled(device_type):
        dtype = torch.get_autocast_dtype(device_type)
        hidden_ND, weight_VD = hidden_ND.to(dtype), weight_VD.to(dtype)
    rows_per_chunk = rows_per_chunk or max(1, LOGITS_PER_CHUNK // len(weight_VD))
    with torch.autocast(device_type, enabled=False):
        if len(rows) <= rows_per_chunk:
            logits_NV = functional.linear(hidden_ND, weight_VD).to(torch.promote_types(weight_VD.dtype, torch.float32))
            loss = functional.cross_entropy(logits_NV, targets_N, reduction="sum")
        else:
            with_gradients = torch.is_grad_enabled() and (hidden_ND.requires_grad or weight_VD.requires_grad)
            loss = _ChunkedHeadLoss.apply(hidden_ND, weight_VD, targets_N, rows_per_chunk, with_gradients)
    if num_items_in_batch is None:
        return loss / len(rows)
    # The Trainer passes a tensor, which may be on another device.
    return loss / (num_items_in_batch.to(loss.device) if isinstance(num_items_in_batch, torch.Tensor) else num_items_in_batch)


__all__ = ["head_loss"]
