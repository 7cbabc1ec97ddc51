"""LSTMModel and LSTMForCausalLM: a plain stacked LSTM over PyTorch's fused kernels.

Shapes: B sequences, T time steps, E embedding width, H hidden width, V vocabulary size.
"""

from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import can_return_tuple

from .configuration_lstm import LSTMConfig


class LSTMPreTrainedModel(PreTrainedModel):
    """What both models share: configuration, names and initial weights."""

    config_class = LSTMConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draws initial weights; parameters that were loaded are left alone.

        Embedding: normal, standard deviation ``initializer_range``. Input-to-gate weights: normal, ``input_gain`` over the root of the fan-in.
        Hidden-to-gate weights: an orthogonal matrix per gate (Saxe et al. 2014). Biases: zero, but ``forget_gate_bias`` for the forget gates.
        """
        if isinstance(module, nn.LSTM):
            hidden_size = module.hidden_size
            for name, weight in module.named_parameters():
                if name.startswith("weight_ih"):
                    init.normal_(weight, std=self.config.input_gain * weight.shape[1] ** -0.5)
                elif name.startswith("weight_hh"):
                    whole = torch.empty_like(weight, dtype=torch.float32)
                    for gate in whole.split(hidden_size):
                        nn.init.orthogonal_(gate)
                    init.copy_(weight, whole)
                else:
                    whole = torch.zeros_like(weight)
                    if name.startswith("bias_ih"):
                        # PyTorch's order of gates is input, forget, cell, output.
                        whole[hidden_size : 2 * hidden_size] = self.config.forget_gate_bias
                    init.copy_(weight, whole)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, std=module.in_features**-0.5)


class LSTMModel(LSTMPreTrainedModel):
    """Token embedding and stacked LSTM layers, without the output head. Every sequence starts from a zero state."""

    def __init__(self, config: LSTMConfig):
        super().__init__(config)
        assert config.embedding_size is not None  # the config fills it in
        self.embed_tokens = nn.Embedding(config.vocab_size, config.embedding_size)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(
            config.embedding_size,
            config.hidden_size,
            config.num_hidden_layers,
            batch_first=True,
            dropout=config.dropout if config.num_hidden_layers > 1 else 0.0,
        )
        # Only where the embedding is wider or narrower than the layers.
        self.output_projection = (
            nn.Linear(config.hidden_size, config.embedding_size, bias=False) if config.embedding_size != config.hidden_size else None
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """The token embedding, (V, E)."""
        return self.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        assert isinstance(value, nn.Embedding)
        self.embed_tokens = value

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutput:
        """Reads the sequences from a zero state.

        Args:
            input_ids: (B, T) token ids.
            attention_mask: (B, T) of ones and zeros; zeros only after the last one (right padding), which a causal model never looks back on.
            inputs_embeds: (B, T, E) instead of ``input_ids``.

        Returns:
            last_hidden_state (B, T, E).

        Raises:
            ValueError: not exactly one input is given, or the mask is padded anywhere but on the right.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds.")
        if attention_mask is not None and (attention_mask[:, 1:] > attention_mask[:, :-1]).any():
            raise ValueError(
                "attention_mask has zeros before ones; this LSTM takes right padding only: set tokenizer.padding_side = 'right'."
            )
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        hidden_states, _ = self.lstm(self.dropout(inputs_embeds))
        hidden_states = self.dropout(hidden_states)
        if self.output_projection is not None:
            hidden_states = self.output_projection(hidden_states)
        return BaseModelOutput(last_hidden_state=hidden_states)


class LSTMForCausalLM(LSTMPreTrainedModel, GenerationMixin):
    """The LSTM with an output head over the vocabulary, tied to the token embedding by default."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012 (transformers' own form)

    def __init__(self, config: LSTMConfig):
        super().__init__(config)
        assert config.embedding_size is not None
        self.model = LSTMModel(config)
        self.lm_head = nn.Linear(config.embedding_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutput:
        """Predicts the next token at every position.

        Args:
            input_ids: (B, T) token ids.
            attention_mask: as for LSTMModel.
            inputs_embeds: (B, T, E) instead of ``input_ids``.
            labels: (B, T); position t is scored against labels[:, t+1], or, where ``shift_labels`` (B, T) is passed too, against shift_labels[:, t].
            logits_to_keep: compute logits of the last so many positions only (0: all), or of the positions in a tensor.

        Returns:
            loss (a scalar, nats per token; the sum over ``num_items_in_batch`` where that is passed) and logits (B, T, V).
        """
        hidden_states = self.model(input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds).last_hidden_state
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(hidden_states[:, kept, :])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutput(loss=loss, logits=logits)


__all__ = ["LSTMForCausalLM", "LSTMModel", "LSTMPreTrainedModel"]
