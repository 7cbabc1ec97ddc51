"""ablate_context: losses of the same targets when the context is cut to the last k tokens, for k = 1, 2, 4, ... up to the whole context.

Free of "where in the document", which a curve over positions is not (Khandelwal et al. 2018).
Shapes: B windows, G targets of each, T context tokens.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from hf_ctxscale.analysis.estimates import jackknife
from hf_ctxscale.analysis.positions import PositionLosses, PositionSums, window_means
from hf_ctxscale.analysis.sums import merged
from hf_ctxscale.data.blocks import NOT_SCORED, Windows
from hf_ctxscale.records import AblationRecord, Cut, shorter_cut
from hf_ctxscale.scoring.fitting_rows import FittingRows
from hf_ctxscale.scoring.resuming import Kept, sum_units
from hf_ctxscale.scoring.score_model import check_finite, losses_of, owned_rows, with_bos
from hf_ctxscale.scoring.token_losses import TokenLosses
from hf_ctxscale.study import UserError

# A run holds k to 9k/8 tokens of context, so that k/8 neighbouring targets share it: about nine tokens are fed for each target, not k.
SHARE = 8
# sqrt(2) - 1 and the golden ratio's inverse, which spreads any number of points over a circle as evenly as can be.
STEP_OF_DOCUMENT, STEP_OF_WINDOW = 0.41421356237309503, 0.6180339887498949
WANTED_STD_ERROR_NATS = 0.007  # of L(128) - L(T): a third of the 0.02 nats that count


@dataclass(frozen=True)
class Ablation:
    """Losses by cut, and how they came about."""

    losses: PositionLosses  # a column per cut
    record: AblationRecord


def ablation_cuts(context_tokens: int) -> tuple[Cut, ...]:
    """The powers of two that leave even the first target of a segment with less than it has, then the whole context.

    The targets are the last T/8 of a window. The whole context cannot be exceeded, so its run is the window itself: 7T/8+1 to T tokens.
    """
    num_targets = targets_per_segment(context_tokens)
    powers = [2**n for n in range(context_tokens.bit_length()) if 2**n <= context_tokens - num_targets and 2**n < context_tokens]
    cuts = [Cut(context_tokens=k, context_from=k, context_to=k + min(_shared_by(k), num_targets) - 1) for k in powers]
    return (*cuts, Cut(context_tokens=context_tokens, context_from=context_tokens - num_targets + 1, context_to=context_tokens))


def targets_per_segment(context_tokens: int) -> int:
    """G: how many of a window's last targets the ablation predicts."""
    return max(1, context_tokens // SHARE)


def ablate_context(
    token_losses: TokenLosses,
    windows: Windows,
    *,
    documents: Sequence[str],
    num_bytes_by_id: np.ndarray,
    batch_blocks: int,
    bos_ids: tuple[int, ...] = (),
    min_rounds: int = 1,
    wanted_std_error_nats: float = WANTED_STD_ERROR_NATS,
    kept: Kept | None = None,
    show: Callable[[str, int, int], None] = lambda what, done, total: None,
    name: str = "",
) -> Ablation:
    """Predicts the last targets of windows from ever shorter contexts, round by round, until the error is small enough.

    Args:
        token_losses: of any causal LM.
        windows: as for scoring; every context lies inside its window.
        documents: ids of the split's documents.
        num_bytes_by_id: (V,) bytes of text behind each token id.
        batch_blocks: windows' worth of tokens per forward pass.
        bos_ids: stand before every cut context and are not counted in k.
        min_rounds: at least so many rounds, so that models scored together share their targets.
        wanted_std_error_nats: of L(128) - L(T); reached, or all windows are used.
        kept: where unfinished sums are kept for a resumed run; None: nowhere.
        show: called with the round, and its batches done and their total.
        name: of the model, for messages.

    Returns:
        Losses with a column per cut and the same targets in each.

    Raises:
        UserError: a loss is not finite, or no window has a target among its last T/8.
    """
    runner = _Runner(
        token_losses, windows, batch_blocks=batch_blocks, bos_ids=bos_ids, documents=documents, num_bytes_by_id=num_bytes_by_id, name=name
    )
    rounds = _rounds(windows)
    if not rounds:
        raise UserError(
            f"no window has a target among its last {runner.num_targets} tokens, which the ablation predicts: the text ends before them; "
            "score a shorter --context, or more text."
        )
    so_far: list[PositionLosses] = []
    std_error = math.inf
    for number, window_indices in enumerate(rounds, start=1):
        if number > min_rounds and std_error <= wanted_std_error_nats:
            break
        part = None if kept is None else replace(kept, name=f"{kept.name}-round{number}")

        def tell(done: int, total: int, number: int = number) -> None:
            show(f"round {number} of at most {len(rounds)}", done, total)

        losses = sum_units(
            -(-len(window_indices) // batch_blocks),
            widths={"cuts": len(runner.cuts)},
            do_unit=lambda unit, sums, chosen=window_indices: runner.add(chosen[unit * batch_blocks : (unit + 1) * batch_blocks], sums),  # type: ignore[misc]
            order=documents,
            kept=part,
            show=tell,
        )
        so_far.append(losses["cuts"])
        std_error = gain_std_error(merged(so_far, order=documents), runner.cuts)
    losses_by_cut = merged(so_far, order=documents)
    num_windows = sum(len(window_indices) for window_indices in rounds[: len(so_far)])
    record = AblationRecord(
        cuts=runner.cuts,
        num_rounds=len(so_far),
        max_rounds=len(rounds),
        targets_per_segment=runner.num_targets,
        num_targets=int(losses_by_cut.num_tokens[:, 0].sum()),
        wanted_std_error_nats=wanted_std_error_nats,
        std_error_nats=std_error if math.isfinite(std_error) else None,
        cost=_fed_per_window(runner.cuts, num_targets=runner.num_targets) * num_windows / (len(windows) * windows.context_tokens),
    )
    return Ablation(losses_by_cut, record)


def gain_std_error(losses: PositionLosses, cuts: Sequence[Cut]) -> float:
    """Standard error of L(128) - L(T) over documents, in nats; of the largest cut below T where T is 128 or less. Infinite for a single document."""
    column = 1 + shorter_cut(cuts)
    means_RW = window_means(losses, [(column, column), (len(cuts), len(cuts))])
    std_error = jackknife(means_RW[:, 0] - means_RW[:, 1]).std_error
    return std_error if math.isfinite(std_error) else math.inf


class _Runner:
    """Runs the segments of some windows at every cut."""

    def __init__(
        self,
        token_losses: TokenLosses,
        windows: Windows,
        *,
        batch_blocks: int,
        bos_ids: tuple[int, ...],
        documents: Sequence[str],
        num_bytes_by_id: np.ndarray,
        name: str,
    ) -> None:
        self.cuts = ablation_cuts(windows.context_tokens)
        self.num_targets = targets_per_segment(windows.context_tokens)
        self._token_losses = token_losses
        self._windows = windows
        self._max_tokens = batch_blocks * windows.context_tokens
        self._fitting: dict[int, FittingRows] = {}
        self._bos_ids = bos_ids
        self._documents = documents
        self._num_bytes_by_id = num_bytes_by_id
        self._name = name

    def add(self, window_indices: Sequence[int], sums: Mapping[str, PositionSums]) -> None:
        """Adds the segments of these windows."""
        drawn = [self._windows[index] for index in window_indices]
        block_BS = np.stack([window.block for window in drawn])
        document_BT = np.stack([window.document_T for window in drawn])
        document_BG = document_BT[:, -self.num_targets :]
        index, owners, mask = owned_rows(document_BG)
        # The whole context first: it is what the losses' first call is checked on.
        losses = {cut: self._losses(block_BS, cut) for cut in reversed(self.cuts)}
        num_before = document_BT.shape[1] - self.num_targets
        for losses_BG in losses.values():
            # Filled up in front, so that a message names the target's position in the window.
            check_finite(np.pad(losses_BG, ((0, 0), (num_before, 0))), document_BT, documents=self._documents, name=self._name)
        sums["cuts"].add_binned(
            np.concatenate([losses[cut][index] for cut in self.cuts], axis=1),
            columns_BT=np.broadcast_to(
                np.repeat(np.arange(len(self.cuts)), self.num_targets), (len(index), len(self.cuts) * self.num_targets)
            ),
            documents=[self._documents[owner] for owner in owners],
            num_bytes_BT=np.tile(self._num_bytes_by_id[block_BS[:, -self.num_targets :]][index], len(self.cuts)),
            mask_BT=np.tile(mask, len(self.cuts)),
        )

    def _losses(self, block_BS: np.ndarray, cut: Cut) -> np.ndarray:
        """Losses of the last G targets, (B, G), each run holding its targets and the context that the first of them sees."""
        shared = cut.context_to - cut.context_from + 1
        first_target = block_BS.shape[1] - self.num_targets
        whole = self.num_targets // shared * shared  # the last run may have fewer targets
        parts = []
        for start, stop, size in ((0, whole, shared), (whole, self.num_targets, self.num_targets - whole)):
            if start < stop:
                starts = first_target + np.arange(start, stop, size) - cut.context_from
                runs = np.stack([block_BS[:, at : at + cut.context_from + size] for at in starts], axis=1)
                parts.append(self._fed(torch.from_numpy(runs.reshape(-1, runs.shape[-1])), size).reshape(len(block_BS), -1))
        return np.concatenate(parts, axis=1)

    def _fed(self, runs: torch.Tensor, num_targets: int) -> np.ndarray:
        inputs = with_bos(runs[:, :-1], self._bos_ids)
        fitting = self._fitting.setdefault(inputs.shape[1], FittingRows(max(1, self._max_tokens // inputs.shape[1])))
        return losses_of(self._token_losses, fitting, inputs, runs[:, -num_targets:])


def _shared_by(context_tokens: int) -> int:
    """How many targets a run of a cut has."""
    return max(1, context_tokens // SHARE)


def _rounds(windows: Windows) -> list[np.ndarray]:
    """Indices of the windows, shared out over rounds of about one for each document on average; each is in one round.

    As in the score, every window weighs the same: a document gives a round as many as is its share. Which of its windows these are differs
    from document to document, so that no place in documents is preferred.
    """
    num_targets = targets_per_segment(windows.context_tokens)
    usable, owners, places = [], [], []
    seen: dict[int, int] = defaultdict(int)
    for index in range(len(windows)):
        document_G = windows[index].document_T[-num_targets:]
        scored = document_G[document_G != NOT_SCORED]
        if len(scored):
            owner = int(scored[-1])
            usable.append(index)
            owners.append(owner)
            places.append(seen[owner])
            seen[owner] += 1
    spread = (np.array(owners) * STEP_OF_DOCUMENT + np.array(places) * STEP_OF_WINDOW) % 1
    order = np.array(usable, dtype=np.int64)[np.argsort(spread, kind="stable")]
    num_rounds = max(1, round(len(usable) / max(1, len(seen))))
    return [np.sort(part) for part in np.array_split(order, num_rounds)] if usable else []


def _fed_per_window(cuts: Sequence[Cut], *, num_targets: int) -> int:
    """Input tokens, over all cuts, for the targets of one window; BOS tokens are not counted, nor are they in the score's."""
    fed = 0
    for cut in cuts:
        shared = cut.context_to - cut.context_from + 1
        whole, rest = divmod(num_targets, shared)
        fed += whole * (cut.context_from + shared - 1) + (cut.context_from + rest - 1 if rest else 0)
    return fed
