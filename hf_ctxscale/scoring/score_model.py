"""score_windows: losses of a causal LM at every context position and at every distance in bytes, as sums per document.

Shapes: B blocks, T context positions, S input tokens (T, and the BOS tokens before them).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from hf_ctxscale.analysis.byte_bins import BYTE_BINS, byte_bin_of
from hf_ctxscale.analysis.positions import PositionLosses, PositionSums
from hf_ctxscale.data.blocks import NOT_SCORED, Window, Windows
from hf_ctxscale.scoring.fitting_rows import FittingRows
from hf_ctxscale.scoring.resuming import Kept, sum_units
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

Show = Callable[[int, int], None]


class WindowLosses(NamedTuple):
    """A model's losses on the same targets in two arrangements."""

    by_position: PositionLosses
    by_bytes: PositionLosses  # a column per bin of analysis/byte_bins.py


def score_model(
    model: PreTrainedModel,
    windows: Windows,
    *,
    documents: Sequence[str],
    num_bytes_by_id: np.ndarray,
    batch_blocks: int,
    bos_ids: tuple[int, ...] = (),
    show: Show = lambda done, total: None,
) -> PositionLosses:
    """Losses by position alone, of a model in memory, which is left in the mode that it was in; arguments as for `score_windows`."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        scored = score_windows(
            TokenLosses(model),
            windows,
            documents=documents,
            num_bytes_by_id=num_bytes_by_id,
            batch_blocks=batch_blocks,
            bos_ids=bos_ids,
            show=show,
        )
    finally:
        for module, training in modes:  # some parts may have been frozen in evaluation mode
            module.training = training
    return scored.by_position


def score_windows(
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
    """Scores every window from a fresh state; position t of the result is the prediction made after t tokens of the window.

    Args:
        token_losses: of any causal LM.
        windows: blocks of T+1 tokens, and the documents that their targets belong to.
        documents: ids of the split's documents, which the windows' indices point into.
        num_bytes_by_id: (V,) bytes of text behind each token id.
        batch_blocks: blocks per forward pass; fewer where memory runs out. It changes nothing but speed and memory.
        bos_ids: stand before every window and are never counted in t.
        kept: where unfinished sums are kept for a resumed run; None: nowhere.
        show: called with the windows done and their total.
        name: of the model, for messages.

    Returns:
        Sums in float64 with counts, one row per document.

    Raises:
        UserError: a loss is not finite; model, position and document are named.
    """
    fitting = FittingRows(batch_blocks)

    def do_unit(unit: int, sums: Mapping[str, PositionSums]) -> None:
        drawn = [windows[index] for index in range(unit * batch_blocks, min((unit + 1) * batch_blocks, len(windows)))]
        block_BS = np.stack([window.block for window in drawn])
        inputs_BS = with_bos(torch.from_numpy(block_BS[:, :-1]), bos_ids)
        losses_BT = losses_of(token_losses, fitting, inputs_BS, torch.from_numpy(block_BS[:, 1:]))
        add_losses(sums, losses_BT, drawn, documents=documents, num_bytes_by_id=num_bytes_by_id, name=name)

    num_units = -(-len(windows) // batch_blocks)
    losses = sum_units(
        num_units,
        widths={"positions": windows.context_tokens, "bytes": len(BYTE_BINS)},
        do_unit=do_unit,
        order=documents,
        kept=kept,
        show=lambda done, total: show(min(done * batch_blocks, len(windows)), min(total * batch_blocks, len(windows))),
    )
    return WindowLosses(losses["positions"], losses["bytes"])


def losses_of(token_losses: TokenLosses, fitting: FittingRows, inputs_BS: torch.Tensor, targets_BT: torch.Tensor) -> np.ndarray:
    """Losses in nats as float64, (B, T), in as many forward passes as memory needs."""
    device = token_losses.model.device
    return fitting(token_losses, inputs_BS.to(device), targets_BT.contiguous().to(device)).double().cpu().numpy()


def with_bos(inputs_BT: torch.Tensor, bos_ids: Sequence[int]) -> torch.Tensor:
    """The inputs with BOS tokens before them."""
    prefix = torch.tensor(bos_ids, dtype=inputs_BT.dtype).expand(len(inputs_BT), len(bos_ids))
    return torch.cat([prefix, inputs_BT], dim=1)


def add_losses(
    sums: Mapping[str, PositionSums],
    losses_BT: np.ndarray,
    drawn: Sequence[Window],
    *,
    documents: Sequence[str],
    num_bytes_by_id: np.ndarray,
    name: str = "",
) -> None:
    """Adds the losses of some windows to the sums by position and by bytes; every loss counts for its target's document."""
    block_BS, document_BT = np.stack([window.block for window in drawn]), np.stack([window.document_T for window in drawn])
    check_finite(losses_BT, document_BT, documents=documents, name=name)
    index, owners, mask = owned_rows(document_BT)
    ids = [documents[owner] for owner in owners]
    num_bytes_BS = num_bytes_by_id[block_BS]
    targets_bytes = num_bytes_BS[:, 1:][index]
    sums["positions"].add(losses_BT[index], documents=ids, num_bytes_BT=targets_bytes, mask_BT=mask)
    bins = byte_bin_of(np.cumsum(num_bytes_BS[:, :-1], axis=1))
    sums["bytes"].add_binned(losses_BT[index], columns_BT=bins[index], documents=ids, num_bytes_BT=targets_bytes, mask_BT=mask)


def owned_rows(document_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row for each block and document that has targets in it, since one block may hold targets of several.

    Returns:
        index of the block, document index, and which of the block's targets are the document's: (R,), (R,), (R, T).
    """
    pairs = [(row, owner) for row, document_T in enumerate(document_BT) for owner in np.unique(document_T[document_T != NOT_SCORED])]
    index, owners = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return index, owners, document_BT[index] == owners[:, None]


def check_finite(losses_BT: np.ndarray, document_BT: np.ndarray, *, documents: Sequence[str], name: str) -> None:
    """Raises a UserError where a loss that counts is not finite."""
    bad = ~np.isfinite(losses_BT) & (document_BT != NOT_SCORED)
    if bad.any():
        row, position = (int(index) for index in np.argwhere(bad)[0])
        raise UserError(
            f"model {name!r} gives a loss of {losses_BT[row, position]} at context position {position + 1} of document "
            f"{documents[document_BT[row, position]]!r}, so it cannot be scored; its weights may be damaged, or overflow in this precision "
            "(--dtype float32 is the safest)."
        )
