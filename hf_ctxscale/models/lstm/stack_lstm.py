"""LSTMStack: torch's LSTM, which can also run one layer at a time and shut its gates where a lane is free.

Shapes: L layers, B sequences or lanes, T time steps, E width of the input, H width of the cells, P width of the output.
"""

import torch
from torch import nn

from .lanes_lstm import Lanes

# Shuts a gate, or opens it: the logistic function of it is exactly 0 or 1 in every floating-point type, and so are its derivatives.
SATURATED = 1e4


class LSTMStack(nn.LSTM):
    """The layers' weights, all in one module, so that the whole stack is one call of a fused kernel wherever nothing has to happen in between."""

    def forward(  # type: ignore[override]
        self,
        x_BTE: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor] | None = None,
        *,
        layer: int | None = None,
        lanes: Lanes | None = None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Runs the whole stack, or one layer of it.

        Args:
            x_BTE: what the first layer, or that layer, reads.
            state: hidden (L, B, P) and cell (L, B, H) state to start from; L is 1 for one layer, which needs one. None: zeros.
            layer: which layer; None for all.
            lanes: the layout, where some slots are free; only with ``layer``.

        Returns:
            What the last layer, or that layer, gives (B, T, P), and the state at the end. In lanes, only the cell state of unshared ones is meant
            to be used: the kernel computes a hidden state in free slots too.
        """
        if layer is None:
            if x_BTE.is_cuda:
                self._flatten_for_cudnn()
            return super().forward(x_BTE, state)
        assert state is not None
        per_layer = len(self._flat_weights_names) // self.num_layers
        weights = [getattr(self, name) for name in self._flat_weights_names[layer * per_layer : (layer + 1) * per_layer]]
        if lanes is not None:
            # One more input feature, 1 in free slots, whose weights outshout everything else.
            x_BTE = torch.cat([x_BTE, lanes.is_free[..., None].to(x_BTE.dtype)], dim=-1)
            weights[0] = torch.cat([weights[0], self._gates_in_free_slots(weights[0], is_shared=lanes.is_shared)[:, None]], dim=1)
        y_BTP, hidden, cell = torch.lstm(x_BTE, state, weights, True, 1, 0.0, self.training, False, True)
        return y_BTP, (hidden, cell)

    def _gates_in_free_slots(self, weight: torch.Tensor, *, is_shared: bool) -> torch.Tensor:
        """(4H) in PyTorch's order of gates: input, forget, cell, output. Shared lanes forget everything there, others hold their cells."""
        gates_4H = weight.new_zeros(4, self.hidden_size)
        gates_4H[0] = -SATURATED
        gates_4H[1] = -SATURATED if is_shared else SATURATED
        gates_4H[3] = -SATURATED if is_shared else 0.0
        return gates_4H.flatten()

    def _flatten_for_cudnn(self) -> None:
        """cuDNN wants all weights in one piece of memory, which loading a checkpoint takes apart; it would copy them at every call."""
        if not torch.compiler.is_compiling():
            storages = {getattr(self, name).untyped_storage().data_ptr() for name in self._flat_weights_names}
            if len(storages) > 1:
                self.flatten_parameters()


__all__ = ["LSTMStack"]
