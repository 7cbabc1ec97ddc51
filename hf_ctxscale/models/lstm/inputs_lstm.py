"""Checks of what an LSTM is given: a sentence for everything that would fail later, or be ignored although it matters.

Shapes: B sequences, T time steps, E embedding width.
"""

from typing import Any

import torch

from .configuration_lstm import LSTMConfig
from .state_lstm import LSTMState


def check_tokens(input_ids: torch.Tensor | None, inputs_embeds: torch.Tensor | None, embedding_size: int) -> None:
    """Refuses anything but one of input_ids (B, T) and inputs_embeds (B, T, E) with at least one token; ids are checked where they are embedded."""
    if (input_ids is None) == (inputs_embeds is None):
        given = "neither" if input_ids is None else "both"
        raise ValueError(f"{given} of input_ids and inputs_embeds given; give exactly one.")
    name, tokens = ("input_ids", input_ids) if input_ids is not None else ("inputs_embeds", inputs_embeds)
    assert tokens is not None
    if not isinstance(tokens, torch.Tensor) or tokens.is_floating_point() != (name == "inputs_embeds"):
        kind = f"a tensor of {tokens.dtype}" if isinstance(tokens, torch.Tensor) else type(tokens).__name__
        raise ValueError(f"{name} is {kind}; give a tensor of {'whole numbers' if name == 'input_ids' else 'floating-point numbers'}.")
    shape = tuple(tokens.shape)
    if name == "inputs_embeds" and (len(shape) != 3 or shape[2] != embedding_size):
        raise ValueError(f"inputs_embeds has shape {shape}; give (sequences, tokens, {embedding_size}).")
    if name == "input_ids" and len(shape) != 2:
        raise ValueError(f"input_ids has shape {shape}; give (sequences, tokens).")
    if 0 in shape:
        raise ValueError(f"{name} has shape {shape}: an empty {'batch' if shape[0] == 0 else 'sequence'}; give at least one token.")


def check_others(others: dict[str, Any], attention_mask: torch.Tensor | None) -> None:
    """Refuses what would be ignored although it matters."""
    if not others:
        return
    if others.get("past_key_values") is not None:
        raise ValueError(
            "past_key_values was given, but an LSTM keeps no keys and values; pass the state that a call or generate() returned as cache_params."
        )
    for name, value in others.items():
        if isinstance(value, LSTMState):
            raise ValueError(f"a state was given as {name}; pass it as cache_params.")
    positions = others.get("position_ids")
    restarts = False
    if positions is not None and attention_mask is None and not torch.compiler.is_compiling():
        restarts = bool((positions[..., 1:] <= positions[..., :-1]).any())
    if restarts or any(others.get(name) is not None for name in ("seq_idx", "cu_seq_lens_q", "cu_seq_lens_k")):
        raise ValueError(
            "several sequences were packed into one row, through which the state would run on; pad them into rows of their own instead."
        )


def check_mask(attention_mask: torch.Tensor, tokens: torch.Tensor) -> None:
    """Refuses a mask that is not (B, T)."""
    if attention_mask.shape != tokens.shape[:2]:
        raise ValueError(
            f"attention_mask has shape {tuple(attention_mask.shape)}, but the tokens of this call have {tuple(tokens.shape[:2])}; give one value for every "
            "token of this call (those before cache_params are not counted)."
        )


def check_state(state: LSTMState, config: LSTMConfig, tokens: torch.Tensor) -> None:
    """Refuses a state of another model, batch or device than the tokens'."""
    hidden, cell = getattr(state, "hidden", None), getattr(state, "cell", None)
    if hidden is None or cell is None:
        raise ValueError(
            f"cache_params is {type(state).__name__} without hidden and cell; pass the LSTMState that a call of this model returned."
        )
    for name, tensor, width in (("hidden", hidden, config.output_size), ("cell", cell, config.hidden_size)):
        wanted = (config.num_hidden_layers, tokens.shape[0], width)
        if tuple(tensor.shape) != wanted:
            raise ValueError(
                f"cache_params.{name} has shape {tuple(tensor.shape)}, but this model and batch need {wanted} (layers, sequences, width); pass the "
                "state that this model returned for these sequences."
            )
        if tensor.device != tokens.device:
            raise ValueError(f"cache_params.{name} is on {tensor.device}, but the tokens are on {tokens.device}; move one to the other.")


__all__ = ["check_mask", "check_others", "check_state", "check_tokens"]
