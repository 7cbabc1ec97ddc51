"""TABLE: the architectures that a study can train, one entry each; counting, matching, training, colours and legends read it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from hf_ctxscale.study import UserError


@dataclass(frozen=True)
class Shape:
    """The numbers that fix a body: layers and widths."""

    num_layers: int
    hidden_size: int
    num_heads: int | None = None  # None: the architecture has no attention heads
    embedding_size: int | None = None  # None: equal to hidden_size
    mlp_size: int | None = None  # None: four times hidden_size


@dataclass(frozen=True)
class Architecture:
    """One family of models.

    Attributes:
        model_type: what transformers' Auto classes know it as.
        label: how charts and reports call it.
        colours: hex colours from light to dark; a chart takes them by depth or size (reds are LSTMs, violets their ablation, blues are Transformers).
        config_fields: maps a shape, a vocabulary size, a context in tokens and a dropout probability to config fields.
        formula_body_params: the paper's count of body parameters for a shape.
        attention: whether every layer also attends over the context (2·context·width multiply-adds per token).
        has_heads: whether a shape needs a number of attention heads that divides its width.
        fine_size: the second width that may depart from its default where whole hidden sizes miss a target by too much.
        min_layers: the depth rule never goes below it.
    """

    model_type: str
    label: str
    colours: tuple[str, ...]
    config_fields: Callable[[Shape, int, int, float], dict[str, Any]]
    formula_body_params: Callable[[Shape], int]
    attention: bool
    has_heads: bool
    fine_size: Literal["embedding_size", "mlp_size"]
    min_layers: int


def _lstm_fields(shape: Shape, vocab_size: int, context_tokens: int, dropout: float) -> dict[str, Any]:
    del context_tokens  # a recurrent model has no limit of its own
    return {
        "vocab_size": vocab_size,
        "hidden_size": shape.hidden_size,
        "embedding_size": shape.embedding_size,
        "num_hidden_layers": shape.num_layers,
        "dropout": dropout,
    }


def _lstm_residual_fields(shape: Shape, vocab_size: int, context_tokens: int, dropout: float) -> dict[str, Any]:
    return {**_lstm_fields(shape, vocab_size, context_tokens, dropout), "residual": True, "layer_norm": True}


def _gpt2_fields(shape: Shape, vocab_size: int, context_tokens: int, dropout: float) -> dict[str, Any]:
    return {
        "vocab_size": vocab_size,
        "n_positions": context_tokens,
        "n_embd": shape.hidden_size,
        "n_layer": shape.num_layers,
        "n_head": shape.num_heads,
        "n_inner": shape.mlp_size,
        "resid_pdrop": dropout,
        "embd_pdrop": dropout,
        "attn_pdrop": dropout,
        # The same function as GPT-2's gelu_new, as one fused operation.
        "activation_function": "gelu_pytorch_tanh",
        # GPT-2's 0.02 belongs to its width of 768; narrow models learn faster from a larger start (docs/failed-ideas.md).
        "initializer_range": 0.02 * (768 / shape.hidden_size) ** 0.5,
        "use_cache": False,
    }


_LSTM = Architecture(
    model_type="ctxscale_lstm",
    label="LSTM",
    colours=("#f4a582", "#d6604d", "#8e0b20"),
    config_fields=_lstm_fields,
    formula_body_params=lambda s: s.num_layers * (8 * s.hidden_size**2 + 8 * s.hidden_size),
    attention=False,
    has_heads=False,
    fine_size="embedding_size",
    min_layers=1,
)

TABLE: dict[str, Architecture] = {
    "lstm": _LSTM,
    # The figure's LSTM is the plain one; this is the ablation that answers "a weak LSTM baseline".
    "lstm_residual": replace(
        _LSTM,
        label="LSTM, residual and norm",
        colours=("#c2a5cf", "#9970ab", "#5e2b84"),
        config_fields=_lstm_residual_fields,
        min_layers=2,
    ),
    "gpt2": Architecture(
        model_type="gpt2",
        label="Transformer",
        colours=("#92c5de", "#4393c3", "#08417c"),
        config_fields=_gpt2_fields,
        formula_body_params=lambda s: 12 * s.num_layers * s.hidden_size**2,
        attention=True,
        has_heads=True,
        fine_size="mlp_size",
        # One layer cannot look back for a repeated pattern (Olsson et al. 2022): two is the least that uses its context well.
        min_layers=2,
    ),
}


def find_architecture(name: str) -> Architecture:
    """The table's entry of that name.

    Raises:
        UserError: the table has no such entry.
    """
    if name not in TABLE:
        raise UserError(
            f"unknown architecture {name!r}; allowed: {', '.join(sorted(TABLE))}. Add an entry to hf_ctxscale/architectures.py for a new one."
        )
    return TABLE[name]


def family_label(architecture: str) -> str:
    """What charts and reports call a family; an architecture that the table does not hold is called by its key."""
    return TABLE[architecture].label if architecture in TABLE else architecture


def series_label(architecture: str, depths: Iterable[int | None]) -> str:
    """``LSTM, 2 layers``, or ``LSTM`` where the depths are several or not known."""
    known = set(depths)
    depth = known.pop() if len(known) == 1 else None
    if depth is None:
        return family_label(architecture)
    return f"{family_label(architecture)}, {depth} layer{'' if depth == 1 else 's'}"
