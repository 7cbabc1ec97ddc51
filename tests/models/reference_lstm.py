"""A step-by-step LSTM: the obvious slow version that the model is held against, with state, padding and every option."""

import torch
from torch import nn

from hf_ctxscale.models import LSTMForCausalLM, LSTMState

# Every option by itself, and together.
OPTIONS = {
    "plain": {},
    "three layers": {"num_hidden_layers": 3},
    "narrow embedding": {"num_hidden_layers": 2, "embedding_size": 4},
    "wide embedding": {"num_hidden_layers": 2, "embedding_size": 9},
    "projection": {"num_hidden_layers": 2, "proj_size": 3},
    "residual": {"num_hidden_layers": 3, "residual": True},
    "layer norm": {"num_hidden_layers": 3, "layer_norm": True},
    "untied head": {"num_hidden_layers": 2, "embedding_size": 4, "tie_word_embeddings": False},
    "all options": {
        "num_hidden_layers": 3,
        "embedding_size": 4,
        "proj_size": 5,
        "residual": True,
        "layer_norm": True,
        "tie_word_embeddings": False,
    },
}


def one_step(model: LSTMForCausalLM, token: torch.Tensor, hidden: list, cell: list) -> tuple[torch.Tensor, list, list]:
    """Hochreiter & Schmidhuber's equations with forget gates for one token of one sequence: logits (V) and every layer's new state."""
    config, lstm = model.config, model.model.lstm
    hidden, cell = list(hidden), list(cell)
    x = model.model.embed_tokens.weight[token]
    for layer in range(config.num_hidden_layers):
        w_ih, w_hh, b_ih, b_hh = (getattr(lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        read = x if layer == 0 or model.model.norm is None else _layer_norm(model.model.layers[layer].norm, x)
        i, f, g, o = (w_ih @ read + b_ih + w_hh @ hidden[layer] + b_hh).chunk(4)
        cell[layer] = torch.sigmoid(f) * cell[layer] + torch.sigmoid(i) * torch.tanh(g)
        hidden[layer] = torch.sigmoid(o) * torch.tanh(cell[layer])
        if config.proj_size is not None:
            hidden[layer] = getattr(lstm, f"weight_hr_l{layer}") @ hidden[layer]
        x = x + hidden[layer] if config.residual and layer > 0 else hidden[layer]
    if model.model.norm is not None:
        x = _layer_norm(model.model.norm, x)
    if model.model.output_projection is not None:
        x = model.model.output_projection.weight @ x
    return model.lm_head.weight @ x, hidden, cell


def reference(
    model: LSTMForCausalLM, input_ids: torch.Tensor, *, mask: torch.Tensor | None = None, state: LSTMState | None = None
) -> tuple[list[list[torch.Tensor]], LSTMState]:
    """Every row by itself, one real token after another.

    Args:
        model: whose weights are used.
        input_ids: (B, T).
        mask: (B, T); a padded step is not made at all.
        state: to start from; None: zeros.

    Returns:
        For every row the logits (V) of its real tokens in order, and the state at the end.
    """
    config = model.config
    mask = torch.ones_like(input_ids) if mask is None else mask
    weight = model.model.embed_tokens.weight
    logits: list[list[torch.Tensor]] = []
    hidden_rows, cell_rows = [], []
    for row, row_ids in enumerate(input_ids):
        if state is None:
            hidden = [weight.new_zeros(config.output_size)] * config.num_hidden_layers
            cell = [weight.new_zeros(config.hidden_size)] * config.num_hidden_layers
        else:
            hidden, cell = list(state.hidden[:, row]), list(state.cell[:, row])
        logits.append([])
        for token, is_real in zip(row_ids, mask[row], strict=True):
            if is_real:
                scores, hidden, cell = one_step(model, token, hidden, cell)
                logits[row].append(scores)
        hidden_rows.append(torch.stack(hidden))
        cell_rows.append(torch.stack(cell))
    return logits, LSTMState(hidden=torch.stack(hidden_rows, dim=1), cell=torch.stack(cell_rows, dim=1))


def _layer_norm(norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean()
    return norm.weight * centred / torch.sqrt((centred**2).mean() + norm.eps) + norm.bias
