"""TokenLosses: the negative log-likelihood of given tokens under any causal LM, without all its logits in memory.

Shapes: B blocks, S input tokens, T targets at the last T of them, D width of what the head reads, V vocabulary size.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from hf_ctxscale.study import UserError

# Tiles of logits: rows (tokens) by ids of the vocabulary. On a CPU they stay in its cache (4 MiB in float32): 2.5 times as fast as logits that go
# through memory at 1024 x 128 x 50,257, and faster than the head alone. Elsewhere larger ones (64 MiB) keep the device busy.
TILE = {"cpu": (1024, 1024)}
TILE_ELSEWHERE = (4096, 4096)
# Both ways of computing the same loss differ by rounding alone; a forgotten cap on small logits moves it by no more than 1e-3 in float32.
AGREE_NATS = 1e-4
AGREE_NATS_LOW_PRECISION = 0.05
CHECKED_TOKENS = 128
CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")


class TokenLosses:
    """Computes losses, by chunks of logits where the head is a plain linear layer, which the first call checks against the model's own logits.

    Attributes:
        way: ``chunks`` or ``logits``; None before the first call.
        reason: why not in chunks.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.way: str | None = None
        self.reason: str | None = None
        self._finish: Callable[[torch.Tensor], torch.Tensor] = lambda logits: logits

    @torch.inference_mode()
    def __call__(self, input_ids_BS: torch.Tensor, targets_BT: torch.Tensor, **inputs: Any) -> torch.Tensor:
        """Losses of the targets of the last T inputs, (B, T) in float32 or better.

        Args:
            input_ids_BS: what the model reads.
            targets_BT: token after each of the last T inputs.
            inputs: of the model's forward, such as a carried state.
        """
        if self.way is None:
            self._choose(input_ids_BS, targets_BT)
        if self.way == "logits":
            return losses_of_logits(self._logits(input_ids_BS, **inputs), targets_BT)
        hidden_BTD = self._hidden(input_ids_BS, **inputs)[:, -targets_BT.shape[1] :]
        return self._tiled(hidden_BTD.flatten(0, 1), targets_BT.flatten()).view(targets_BT.shape)

    def _tiled(self, hidden_ND: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
        """Losses, (N,), from what the head reads: the logarithm of the sum of exponentials tile by tile, so that no row of logits is ever whole."""
        rows, num_ids = TILE.get(hidden_ND.device.type, TILE_ELSEWHERE)
        weight_VD, bias_V = self._head().weight, self._head().bias
        losses = []
        for hidden, targets in zip(hidden_ND.split(rows), targets_N.split(rows), strict=True):
            sums: list[torch.Tensor] = []
            target_logits = hidden.new_zeros(len(hidden), dtype=_exact_dtype(hidden))
            for first in range(0, weight_VD.shape[0], num_ids):
                ids = slice(first, first + num_ids)
                logits = _exact(self._finish(functional.linear(hidden, weight_VD[ids], None if bias_V is None else bias_V[ids])))
                # Each target's logit is in one tile.
                place = targets - first
                found = logits.gather(1, place.clamp(0, logits.shape[1] - 1)[:, None])[:, 0]
                target_logits = torch.where((place >= 0) & (place < logits.shape[1]), found, target_logits)
                largest = logits.amax(dim=1)
                sums.append(logits.sub_(largest[:, None]).exp_().sum(dim=1).log_().add_(largest))
            losses.append(torch.stack(sums).logsumexp(dim=0) - target_logits)
        return torch.cat(losses)

    def _head(self) -> nn.Linear:
        head = self.model.get_output_embeddings()
        assert isinstance(head, nn.Linear)
        return head

    def _logits(self, input_ids_BS: torch.Tensor, **inputs: Any) -> torch.Tensor:
        outputs = self.model(input_ids=input_ids_BS, **_accepted(self.model, {"use_cache": False}), **inputs)
        logits = getattr(outputs, "logits", None)
        if logits is None or logits.ndim != 3:
            raise UserError(
                f"{type(self.model).__name__} returned {'no logits' if logits is None else f'logits of shape {tuple(logits.shape)}'}; a causal LM returns "
                "one score per token id at every position (blocks, tokens, vocabulary). Score a model that AutoModelForCausalLM opens."
            )
        return logits

    def _hidden(self, input_ids_BS: torch.Tensor, **inputs: Any) -> torch.Tensor:
        """What the head reads, (B, S, D): the head is made to keep it and to give no logits, so that whatever stands around it stays as it is."""
        kept: list[torch.Tensor] = []

        def keep(hidden: torch.Tensor) -> torch.Tensor:
            kept.append(hidden)
            return hidden[..., :0]

        with _forward_replaced(self._head(), keep):
            self.model(input_ids=input_ids_BS, **_accepted(self.model, {"use_cache": False}), **inputs)
        [hidden] = kept
        return hidden

    def _choose(self, input_ids_BS: torch.Tensor, targets_BT: torch.Tensor) -> None:
        """In chunks, if that gives the losses that the model's own logits give on the first tokens of the first block."""
        num_bos = input_ids_BS.shape[1] - targets_BT.shape[1]
        input_ids, targets = input_ids_BS[:1, : CHECKED_TOKENS + num_bos], targets_BT[:1, :CHECKED_TOKENS]
        logits = self._logits(input_ids)
        wanted = losses_of_logits(logits, targets)
        self.way = "logits"
        if type(self.model.get_output_embeddings()) is not nn.Linear:
            self.reason = f"its head is {type(self.model.get_output_embeddings()).__name__}, not a plain linear layer"
            return
        try:
            hidden = self._hidden(input_ids)[:, -targets.shape[1] :]
        except Exception as error:  # a model may do anything with its logits
            self.reason = f"it cannot do without its logits ({type(error).__name__})"
            return
        differences = []
        for finish in _finishes(self.model.config):
            self._finish = finish
            losses = self._tiled(hidden.flatten(0, 1), targets.flatten()).view(targets.shape)
            differences.append((float((losses - wanted).abs().max()), finish))
        # Where rounding is coarse, several may be close enough: the closest is the model's own.
        difference, self._finish = min(differences, key=lambda pair: pair[0])
        allowed = AGREE_NATS if wanted.dtype == logits.dtype else AGREE_NATS_LOW_PRECISION
        if difference <= allowed:
            self.way = "chunks"
        else:
            self.reason = f"its head alone does not give its logits (losses differ by up to {difference:.2g} nats)"


def losses_of_logits(logits_BSV: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the last T positions, (B, T), from logits in float32 or better."""
    logits = _exact(logits_BSV[:, -targets_BT.shape[1] :])
    return functional.cross_entropy(logits.flatten(0, 1), targets_BT.flatten(), reduction="none").view(targets_BT.shape)


def _exact(logits: torch.Tensor) -> torch.Tensor:
    """In float32 or better."""
    return logits.to(_exact_dtype(logits))


def _exact_dtype(tensor: torch.Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def _finishes(config: Any) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """What models of transformers do with the head's output, by the settings that say so (Gemma 2's cap and others', Cohere's and Granite's scales)."""
    yield lambda logits: logits
    text = config.get_text_config(decoder=True)
    cap = next((value for name in CAPS if (value := getattr(text, name, None))), None)
    factor, divisor = getattr(text, "logit_scale", None), getattr(text, "logits_scaling", None)
    if cap:
        yield lambda logits: torch.tanh(logits / cap) * cap
    if factor:
        yield lambda logits: logits * factor
    if divisor:
        yield lambda logits: logits / divisor


def _accepted(model: nn.Module, settings: dict[str, Any]) -> dict[str, Any]:
    """Those that the model's forward pass names."""
    names = inspect.signature(model.forward).parameters
    return {name: value for name, value in settings.items() if name in names}


@contextlib.contextmanager
def _forward_replaced(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    before = module.__dict__.get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
