"""LSTMConfig: the settings of a plain stacked LSTM."""

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig


@strict
class LSTMConfig(PreTrainedConfig):
    """A plain stacked LSTM: every layer reads the hidden states of the one below, and nothing else.

    Args:
        vocab_size: number of token ids.
        hidden_size: width h of every layer's hidden and cell state.
        embedding_size: width e of the token embedding; None means h. Where e differs from h, a linear map from h to e without bias stands before
            the output head, so that the head can be tied.
        num_hidden_layers: number of stacked layers.
        dropout: probability of zeroing an element of the embedding, between layers and of the last layer's output, while training.
        forget_gate_bias: initial bias of the forget gates (Jozefowicz et al. 2015, section 2.2: 1 is what makes a plain LSTM competitive).
        initializer_range: standard deviation of the embedding. Unlike a Transformer, an LSTM has no norm that rescales a small embedding, and its
            first layer sees next to nothing of one with the usual 0.02.
        input_gain: standard deviation of the input-to-gate weights, times the root of their fan-in.
        tie_word_embeddings: whether the output head shares the embedding's weights.

    Raises:
        ValueError: a size is not positive, or dropout is not in [0, 1).
    """

    model_type = "ctxscale_lstm"

    vocab_size: int = 50257
    hidden_size: int = 256
    embedding_size: int | None = None
    num_hidden_layers: int = 1
    dropout: float | int = 0.0
    forget_gate_bias: float | int = 1.0
    initializer_range: float | int = 1.0
    input_gain: float | int = 2.0
    tie_word_embeddings: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.embedding_size is None:
            self.embedding_size = self.hidden_size
        # The state is not handed from step to step yet: generation reads the whole text again for every token.
        self.use_cache = False
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Part of the checks that run after every construction."""
        for name in ("vocab_size", "hidden_size", "embedding_size", "num_hidden_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is not positive; give at least 1.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not a probability below 1; give a value in [0, 1).")


__all__ = ["LSTMConfig"]
