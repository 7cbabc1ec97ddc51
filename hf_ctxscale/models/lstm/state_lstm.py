"""LSTMState: what an LSTM remembers of the tokens it has read, and the outputs that carry it.

Shapes: L layers, B sequences, T time steps, H width of the cells, P width of the layers' output, V vocabulary size.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers.utils import ModelOutput


@dataclass
class _Output(ModelOutput):
    """A ModelOutput of tensors, made in a third of the time: three of them are made for every generated token."""

    def __post_init__(self) -> None:
        first, *_ = vars(self).values()
        if first is None or isinstance(first, torch.Tensor):
            for name, value in vars(self).items():
                if value is not None:
                    OrderedDict.__setitem__(self, name, value)
        else:  # such as a dict of all fields, which accelerate hands over
            super().__post_init__()


@dataclass
class LSTMState(_Output):
    """Hidden and cell state of every layer: constant memory, however long the text.

    Passed to a model as ``cache_params``, it stands for all the tokens read so far. The model leaves it as it is and returns a new one. Outside of
    ``torch.no_grad`` it remembers how it was computed, so that gradients reach back through it; ``detach`` ends that.

    Attributes:
        hidden: (layers, sequences, hidden_size, or proj_size where there is one).
        cell: (layers, sequences, hidden_size).
    """

    hidden: torch.Tensor | None = None
    cell: torch.Tensor | None = None

    # Read by generate(): stepping an LSTM gains nothing from its automatic compilation.
    is_compileable = False

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keeps, for every beam, the state of the beam that it continues; called by beam search.

        Args:
            beam_idx: (B) row of the state that each new row takes over.
        """
        assert self.hidden is not None
        assert self.cell is not None
        rows = beam_idx.to(self.hidden.device)
        self.hidden, self.cell = self.hidden.index_select(1, rows), self.cell.index_select(1, rows)

    def repeat_interleave(self, repeats: int) -> "LSTMState":
        """A state with every sequence repeated, for several beams or samples of each: (L, B * repeats, ...)."""
        assert self.hidden is not None
        assert self.cell is not None
        return LSTMState(hidden=self.hidden.repeat_interleave(repeats, dim=1), cell=self.cell.repeat_interleave(repeats, dim=1))

    def detach(self) -> "LSTMState":
        """The same numbers without their history: what truncated backpropagation through time passes on from one piece of a text to the next."""
        assert self.hidden is not None
        assert self.cell is not None
        return LSTMState(hidden=self.hidden.detach(), cell=self.cell.detach())

    def save(self, path: str | os.PathLike) -> None:
        """Writes the state to a safetensors file, its folder too where there is none."""
        assert self.hidden is not None
        assert self.cell is not None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_file({"hidden": self.hidden.detach().contiguous(), "cell": self.cell.detach().contiguous()}, path)

    @classmethod
    def load(cls, path: str | os.PathLike, device: str = "cpu") -> "LSTMState":
        """Reads a state that ``save`` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        try:
            tensors = load_file(path, device=device)
        except SafetensorError as error:
            raise ValueError(f"{path} is no safetensors file ({error}); give a file that LSTMState.save wrote.") from None
        if set(tensors) != {"hidden", "cell"}:
            raise ValueError(
                f"{path} holds {', '.join(sorted(tensors))}, not the hidden and cell of an LSTMState; give a file that LSTMState.save wrote."
            )
        return cls(**tensors)


@dataclass
class LSTMModelOutput(_Output):
    """What LSTMModel gives.

    Attributes:
        last_hidden_state: (B, T, D), what the output head reads.
        cache_params: the state after every sequence's last token, where asked for.
        hidden_states: L+1 tensors where asked for: the embedding, what every layer but the last gives, and last_hidden_state.
    """

    last_hidden_state: torch.Tensor | None = None
    cache_params: LSTMState | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


@dataclass
class LSTMCausalLMOutput(_Output):
    """What LSTMForCausalLM gives.

    Attributes:
        loss: a scalar, nats per token, where labels are given.
        logits: (B, T, V); None where ``return_logits`` is off.
        cache_params: as for LSTMModelOutput.
        hidden_states: as for LSTMModelOutput.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    cache_params: LSTMState | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


__all__ = ["LSTMCausalLMOutput", "LSTMModelOutput", "LSTMState"]
