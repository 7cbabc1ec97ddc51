"""LSTMConfig: the settings of a stacked LSTM."""

# isort: off
from .supported_transformers import MIN_TRANSFORMERS  # noqa: F401 (first: says what to do where transformers is too old)
# isort: on

import math

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig


@strict
class LSTMConfig(PreTrainedConfig):
    """A stacked LSTM. By default the plain one: every layer reads the hidden states of the one below, and nothing else.

    Args:
        vocab_size: number of token ids.
        hidden_size: width h of every layer's cell state, and of its hidden state where ``proj_size`` is None.
        embedding_size: width e of the token embedding; None means that of the layers' output. Where the head is tied and the two widths differ, a
            linear map to e without bias stands before the head.
        num_hidden_layers: number of stacked layers.
        dropout: probability of zeroing an element of the embedding, between layers and of the last layer's output, while training.
        proj_size: width of every layer's hidden state, which is then a linear map of the h gated cells (Sak et al. 2014, LSTMP); None: no such map.
            PyTorch has no fused kernel for it on a CPU, where it is several times slower.
        residual: whether every layer but the first adds what it reads to what it gives.
        layer_norm: whether the input of every layer but the first, and of the output head, is normalised (with ``residual``, the branch alone is).
        layer_norm_eps: added to the variance in those norms.
        forget_gate_bias: initial bias of the forget gates (Jozefowicz et al. 2015, section 2.2: 1 is what makes a plain LSTM competitive).
        initializer_range: standard deviation of the embedding. Unlike a Transformer, a plain LSTM has no norm that rescales a small embedding, and
            its first layer sees next to nothing of one with the usual 0.02. A tied head makes a first loss above ln V of it, which a plain LSTM
            unlearns within some steps; where a norm stands before the head, its initial weights make up for it.
        input_gain: standard deviation of the input-to-gate weights, times the root of their fan-in.
        use_cache: whether the state after the last token is returned outside of training. The Trainer sets it to False, and it is saved so; a call's
            own ``use_cache=True`` prevails.
        tie_word_embeddings: whether the output head shares the embedding's weights.

    Raises:
        huggingface_hub.errors.StrictDataclassError: a size is not positive, ``proj_size`` is not below ``hidden_size``, dropout is not in [0, 1), a
            scale is negative, or a setting is of another type.
    """

    model_type = "ctxscale_lstm"
    keys_to_ignore_at_inference = ["cache_params"]  # noqa: RUF012 (transformers' own form)

    vocab_size: int = 50257
    hidden_size: int = 256
    embedding_size: int | None = None
    num_hidden_layers: int = 1
    dropout: float | int = 0.0
    proj_size: int | None = None
    residual: bool = False
    layer_norm: bool = False
    layer_norm_eps: float = 1e-5
    forget_gate_bias: float | int = 1.0
    initializer_range: float | int = 1.0
    input_gain: float | int = 2.0
    use_cache: bool = True
    tie_word_embeddings: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    @property
    def output_size(self) -> int:
        """Width of what every layer gives."""
        return self.hidden_size if self.proj_size is None else self.proj_size

    @property
    def input_size(self) -> int:
        """Width of the token embedding."""
        return self.output_size if self.embedding_size is None else self.embedding_size

    @property
    def head_size(self) -> int:
        """Width of what the output head reads: a tied head has the embedding's width."""
        return self.input_size if self.tie_word_embeddings else self.output_size

    def validate_architecture(self) -> None:
        """Part of the checks that run after every construction."""
        for name in ("vocab_size", "hidden_size", "proj_size", "embedding_size", "num_hidden_layers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} is not positive; give at least 1.")
        if self.proj_size is not None and self.proj_size >= self.hidden_size:
            raise ValueError(
                f"proj_size={self.proj_size} is not smaller than hidden_size={self.hidden_size}; give a smaller one, or None for no projection."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not a probability below 1; give a value in [0, 1).")
        for name in ("initializer_range", "input_gain", "layer_norm_eps"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} is not a finite number of at least 0; give one.")


# Saved folders carry this file (remote code).
LSTMConfig.register_for_auto_class()

__all__ = ["LSTMConfig"]
