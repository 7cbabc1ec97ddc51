"""Sums that survive a kill and are shared out over processes: units of work in a fixed order, with what is done so far kept in a file."""

import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object, parse_flag_from_env

from hf_ctxscale.analysis.sums import PositionLosses, PositionSums, merged
from hf_ctxscale.files import write_aside

SECONDS_BETWEEN_SAVES = 5.0
# A save may take so much of the time; with many documents it is a large file.
SHARE_OF_SAVING = 0.02
_ARRAYS = ("num_blocks", "num_tokens", "num_bytes", "loss_sum_nats")


@dataclass(frozen=True)
class Kept:
    """Where unfinished sums lie.

    Attributes:
        folder: of the score.
        name: of this part of it; files are ``.NAME-RANKofPROCESSES.npz``.
        identity: of all that decides the sums; a file of another identity is not used.
    """

    folder: Path
    name: str
    identity: str


def processes() -> PartialState:
    """The processes that share the work, as `accelerate launch` or `torchrun` started them; the first call decides.

    Without a GPU, accelerate sees more than one only where it is told that there is none; else each would do all the work, and write the same files.
    """
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())


def sum_units(
    num_units: int,
    *,
    widths: Mapping[str, int],
    do_unit: Callable[[int, Mapping[str, PositionSums]], None],
    order: Sequence[str],
    kept: Kept | None,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, PositionLosses]:
    """Does every unit once, over all processes, and returns the sums of all.

    Process r of W does units r, r + W, r + 2W and so on, whoever is how fast; so the same units add to the same sums however often a run is
    interrupted.

    Args:
        num_units: their number.
        widths: columns of each kind of sums.
        do_unit: adds one unit to the sums.
        order: all documents; results have their rows in it.
        kept: where to keep what is done; None: nowhere.
        show: called with the units done and their total, of this process.
    """
    state = processes()
    mine = range(state.process_index, num_units, state.num_processes)
    file = None if kept is None else kept.folder / f".{kept.name}-{state.process_index}of{state.num_processes}.npz"
    sums, done = {name: PositionSums(width) for name, width in widths.items()}, 0
    if file is not None and kept is not None and file.is_file():
        sums, done = _load(file, identity=kept.identity, widths=widths) or (sums, 0)
    next_save = time.monotonic() + SECONDS_BETWEEN_SAVES
    show(done, len(mine))
    for number in range(done, len(mine)):
        do_unit(mine[number], sums)
        show(number + 1, len(mine))
        began = time.monotonic()
        if file is not None and kept is not None and (began >= next_save or number + 1 == len(mine)):
            _save(file, sums, done=number + 1, identity=kept.identity)
            now = time.monotonic()
            next_save = now + max(SECONDS_BETWEEN_SAVES, (now - began) / SHARE_OF_SAVING)
    gathered = gather_object([{name: part.result() for name, part in sums.items()}])
    return {name: merged([part[name] for part in gathered], order=order) for name in widths}


def forget_kept(folder: Path) -> None:
    """Removes what was kept of a score that is finished, and what a kill in the middle of writing it left."""
    for file in folder.glob(".*of*.npz*"):
        file.unlink(missing_ok=True)


def _save(file: Path, sums: Mapping[str, PositionSums], *, done: int, identity: str) -> None:
    arrays = {"done": np.array(done), "identity": np.array(identity)}
    for name, part in sums.items():
        losses = part.result()
        # As bytes: texts of unlike lengths would be pickled, or padded to the longest.
        arrays[f"{name}:documents"] = np.frombuffer("\0".join(losses.documents).encode(), dtype=np.uint8)
        arrays |= {f"{name}:{array}": getattr(losses, array) for array in _ARRAYS}
    write_aside(file, partial(_write, arrays))


def _write(arrays: dict[str, np.ndarray], path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # its stubs take keywords for options


def _load(file: Path, *, identity: str, widths: Mapping[str, int]) -> tuple[dict[str, PositionSums], int] | None:
    """What was kept; None where it is of something else, or cannot be read: the work is then done again."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if str(arrays["identity"]) != identity:
                return None
            sums = {name: PositionSums.continuing(_losses(arrays, name)) for name in widths}
            done = int(arrays["done"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return (sums, done) if {name: part.context_tokens for name, part in sums.items()} == dict(widths) else None


def _losses(arrays: Mapping[str, np.ndarray], name: str) -> PositionLosses:
    text = arrays[f"{name}:documents"].tobytes().decode()
    return PositionLosses(tuple(text.split("\0")) if text else (), *(arrays[f"{name}:{array}"] for array in _ARRAYS))
