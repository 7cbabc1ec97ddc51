"""Speed and peak memory of our head loss against other ways of computing it; rows of lstm_speed.py.

A peak is what one forward and backward pass needs beyond its inputs, gradients included, in a process of its own.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial

import torch
from paired import Comparison, Row, Setting, Step, compare
from peak_memory import peak_bytes
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from hf_ctxscale.models.lstm.head_loss_lstm import head_loss

ROWS_PER_CHECKPOINT = 256
# Of the loss in float64; rounding the logits to bfloat16 moves it by 1e-5.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class HeadSize:
    """Rows (tokens), what the head reads, and the vocabulary."""

    num_rows: int
    width: int
    vocab_size: int

    def __str__(self) -> str:
        return f"{self.num_rows} x {self.width} x {self.vocab_size}"


def _cross_entropy(hidden_ND: torch.Tensor, weight_VD: torch.Tensor, targets_N: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return functional.cross_entropy(functional.linear(hidden_ND, weight_VD).float(), targets_N, reduction=reduction)


def _head_loss(hidden_ND: torch.Tensor, weight_VD: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    return head_loss(hidden_ND[None], weight_VD, targets_N[None], shift_labels=targets_N[None])


def _checkpointed(hidden_ND: torch.Tensor, weight_VD: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    """Logits of a few rows at a time, computed again in the backward pass."""
    losses = [
        checkpoint(_cross_entropy, hidden, weight_VD, targets, "sum", use_reentrant=False)
        for hidden, targets in zip(hidden_ND.split(ROWS_PER_CHECKPOINT), targets_N.split(ROWS_PER_CHECKPOINT), strict=True)
    ]
    return torch.stack(losses).sum() / len(targets_N)


def _linear_cross_entropy(hidden_ND: torch.Tensor, weight_VD: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    """PyTorch's own, in chunks. Autocast passes it by, so that its inputs are cast here."""
    if torch.is_autocast_enabled(hidden_ND.device.type):
        dtype = torch.get_autocast_dtype(hidden_ND.device.type)
        hidden_ND, weight_VD = hidden_ND.to(dtype), weight_VD.to(dtype)
    return functional.linear_cross_entropy(hidden_ND, weight_VD, targets_N, options=torch.nn.LinearCrossEntropyOptions())


WAYS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "head_loss": _head_loss,
    "linear and cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "256 rows under checkpoint": _checkpointed,
}


def _draw(size: HeadSize, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden states and weights as in a trained LSTM's range, and targets."""
    torch.manual_seed(0)
    hidden_ND = torch.randn(size.num_rows, size.width, device=device).tanh_().requires_grad_()
    weight_VD = torch.randn(size.vocab_size, size.width, device=device).mul_(size.width**-0.5).requires_grad_()
    return hidden_ND, weight_VD, torch.randint(size.vocab_size, (size.num_rows,), device=device)


def _pass(way: str, inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor], setting: Setting) -> torch.Tensor:
    """A forward and a backward pass; does not wait for the device."""
    for tensor in inputs[:2]:
        tensor.grad = None
    with setting.autocast():
        loss = WAYS[way](*inputs)
    loss.backward()
    return loss.detach()


def head_rows(sizes: tuple[HeadSize, ...], setting: Setting) -> Iterator[Row]:
    """Our head loss against each of the other ways; for information, none of these rows has a target."""
    ways = [way for way in WAYS if way != "linear_cross_entropy" or hasattr(torch.nn, "LinearCrossEntropyOptions")]
    for size in sizes:
        name = f"head loss {size}, {setting.precision}, against "
        rows = setting.wanted(*(Comparison(name + way, "head_loss", way) for way in ways[1:]))
        if not rows:
            continue
        inputs = _draw(size, setting.device)
        with torch.no_grad():
            true_loss = functional.cross_entropy(functional.linear(inputs[0].double(), inputs[1].double()), inputs[2]).item()
        found = {way: _describe(way, size, setting, true_loss) for way in {"head_loss", *(row.bare for row in rows)}}
        notes = {row.name: f"ours {found[row.ours]}; other {found[row.bare]}" for row in rows}
        steps = {way: Step(partial(_pass, way, inputs, setting), size.num_rows) for way in ways}
        yield from compare(rows, steps, setting, notes=notes)


def _describe(way: str, size: HeadSize, setting: Setting, true_loss: float) -> str:
    """Its peak memory, and whether its loss is right."""
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            peak_bytes, loss = process.submit(_measure_peak, way, size, setting, torch.get_num_threads()).result()
    except (RuntimeError, BrokenProcessPool) as error:
        return f"failed: {error}".splitlines()[0]
    peak = "peak unknown" if peak_bytes is None else f"{peak_bytes / 2**20:,.0f} MiB"
    return peak if abs(loss - true_loss) < TOLERANCE * true_loss else f"{peak}, loss WRONG: {loss:.4f} for {true_loss:.4f}"


def _measure_peak(way: str, size: HeadSize, setting: Setting, num_threads: int) -> tuple[int | None, float]:
    """Peak bytes beyond the inputs of a pass in this process, which has to be a fresh one, and its loss."""
    torch.set_num_threads(num_threads)
    _pass(way, _draw(HeadSize(8, 16, 32), setting.device), setting)  # loads what is loaded once
    inputs = _draw(size, setting.device)
    losses: list[float] = []
    peak = peak_bytes(lambda: losses.append(_pass(way, inputs, setting).item()), setting.device)
    return peak, losses[0]
