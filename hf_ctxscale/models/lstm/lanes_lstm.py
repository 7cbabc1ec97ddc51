"""Lanes: where the real tokens of a padded batch go, so that the fused kernels run over them without a loop over time steps.

A padded step must leave the state as it is, which is to say that an LSTM may as well never see it. The real tokens of every row are therefore moved
together, whatever the shape of the mask, and laid into lanes of equal length. Two ways of doing so:

* a lane per row, where a state comes in or goes out. The free end of a lane holds the cell state: input gate shut, forget gate open.
* several rows in a lane, one after another, in training. One free slot between them resets the state to exactly zero: all gates shut.

Shapes: B rows, T time steps, K lanes of S slots.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Lanes:
    """Where every real token goes, and where every position takes its result from.

    Attributes:
        source: (K, S) flat position b*T+t of the token that a slot reads; any real one in a free slot.
        is_free: (K, S) true in slots that read no token.
        result: (B, T) flat slot of the last real token at or before a position; any where there is none.
        is_empty: (B, T) true where no real token has come yet.
        last: (B) flat slot of each row's last real token; any in a row without one.
        is_shared: whether lanes hold several rows.
    """

    source: torch.Tensor
    is_free: torch.Tensor
    result: torch.Tensor
    is_empty: torch.Tensor
    last: torch.Tensor
    is_shared: bool

    def gather(self, x_BTD: torch.Tensor) -> torch.Tensor:
        """(B, T, ...) in lanes: (K, S, ...)."""
        return x_BTD.flatten(0, 1).index_select(0, self.source.flatten()).unflatten(0, self.source.shape)

    def scatter(self, y_KSD: torch.Tensor) -> torch.Tensor:
        """(K, S, ...) back in rows: (B, T, ...); padding repeats the last real token's result, and is zero before the first one."""
        y_BTD = y_KSD.flatten(0, 1).index_select(0, self.result.flatten()).unflatten(0, self.result.shape)
        return y_BTD.masked_fill(self.is_empty[..., None], 0)

    def last_of(self, y_KSD: torch.Tensor, initial_BD: torch.Tensor) -> torch.Tensor:
        """The result at every row's last real token, or ``initial_BD`` in a row without one: (B, ...)."""
        return torch.where(self.is_empty[:, -1:], initial_BD, y_KSD.flatten(0, 1).index_select(0, self.last))


def build_lanes(mask_BT: torch.Tensor, *, is_shared: bool) -> Lanes:
    """Lays out a padded batch. Reads the rows' lengths on the host, except under a tracer, where lanes are as long as rows.

    Args:
        mask_BT: (B, T), zero where padded, holes included.
        is_shared: whether a lane may hold several rows.
    """
    num_rows, num_steps = mask_BT.shape
    is_real = mask_BT != 0
    order = is_real.cumsum(1)  # the how-manieth real token of its row, from 1
    if torch.compiler.is_compiling():
        num_lanes, num_slots, is_shared = num_rows, num_steps, False
        first_slot = torch.arange(num_rows, device=mask_BT.device) * num_slots
    else:
        lengths: list[int] = order[:, -1].tolist()
        num_slots = max(1, *lengths)
        lanes, starts = _fit(lengths, num_slots=num_slots) if is_shared else (list(range(num_rows)), [0] * num_rows)
        num_lanes = max(lanes) + 1
        first_slot = torch.tensor([lane * num_slots + start for lane, start in zip(lanes, starts, strict=True)], device=mask_BT.device)
    slot = first_slot[:, None] + order - 1
    positions = torch.arange(num_rows * num_steps, device=mask_BT.device)
    # Padded positions all write to one slot more than there are, which is then dropped.
    source = torch.full((num_lanes * num_slots + 1,), -1, device=mask_BT.device)
    source = source.scatter(0, torch.where(is_real, slot, num_lanes * num_slots).flatten(), positions)[:-1].view(num_lanes, num_slots)
    is_free = source < 0
    is_empty = order == 0
    result = torch.where(is_empty, 0, slot)
    # A free slot reads a real token too: whatever stands in the padding, not even a NaN gets into a kernel.
    return Lanes(torch.where(is_free, source.max().clamp(min=0), source), is_free, result, is_empty, result[:, -1], is_shared)


def _fit(lengths: list[int], *, num_slots: int) -> tuple[list[int], list[int]]:
    """Every row's lane and first slot: the longest row first, each into the lane that it fills best, a free slot between two rows."""
    lanes, starts = [0] * len(lengths), [0] * len(lengths)
    room: list[tuple[int, int]] = []  # free slots of a lane, the one before the next row included; the lane
    num_lanes = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        needed = lengths[row] + 1
        index = bisect_left(room, (needed, 0))
        if index < len(room):
            free, lane = room.pop(index)
        else:
            free, lane = num_slots + 1, num_lanes
            num_lanes += 1
        lanes[row], starts[row] = lane, num_slots + 1 - free
        insort(room, (free - needed, lane))
    return lanes, starts


__all__ = ["Lanes", "build_lanes"]
