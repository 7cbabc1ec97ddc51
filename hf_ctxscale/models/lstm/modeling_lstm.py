"""LSTMModel and LSTMForCausalLM: a stacked LSTM over PyTorch's fused kernels.

Shapes: L layers, B sequences, T time steps, E embedding width, H width of the cells, P width of the layers' output, D width of what the output head
reads, V vocabulary size.
"""

# isort: off
from .configuration_lstm import LSTMConfig  # first: refuses a transformers that is too old for the next lines
# isort: on

import os
from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.generation import GenerationMixin
from transformers.loss.loss_utils import ForCausalLMLoss
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import PreTrainedModel
from transformers.utils import can_return_tuple

from .head_loss_lstm import head_loss
from .inputs_lstm import check_mask, check_others, check_state, check_tokens
from .lanes_lstm import Lanes, build_lanes
from .stack_lstm import LSTMStack
from .state_lstm import LSTMCausalLMOutput, LSTMModelOutput, LSTMState


class LSTMPreTrainedModel(PreTrainedModel):
    """What both models share: configuration, names, initial weights, and the files that a saved folder carries."""

    config: LSTMConfig
    config_class = LSTMConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    # A layer is handed the stack, which offloading hooks of accelerate must not take for data to move.
    _skip_keys_device_placement = ["stack"]  # noqa: RUF012
    _no_split_modules = ["LSTMStack"]  # noqa: RUF012 (transformers' own form)
    # No assisted generation: a state cannot be taken back by a few tokens.
    _is_stateful = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draws initial weights; parameters that were loaded are left alone.

        Embedding: normal, standard deviation ``initializer_range``. Input-to-gate weights: normal, ``input_gain`` over the root of the fan-in.
        Hidden-to-gate weights: an orthogonal matrix per gate (Saxe et al. 2014; with ``proj_size``, orthonormal columns). Biases: zero, but
        ``forget_gate_bias`` for the forget gates. Projections and an untied head: normal, one over the root of the fan-in. Norms: one and zero; the
        weights of one before a tied head are what makes logits of standard deviation one with its large embedding.
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
                elif name.startswith("weight_hr"):
                    init.normal_(weight, std=hidden_size**-0.5)
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
        elif isinstance(module, nn.LayerNorm):
            before_tied_head = module is getattr(self, "model", self).norm and self.config.tie_word_embeddings
            scale = self.config.initializer_range * self.config.head_size**0.5 if before_tied_head else 1.0
            init.constant_(module.weight, 1 / scale if scale else 1.0)
            init.zeros_(module.bias)

    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """Saves as every transformers model does, with the files that load it where hf_ctxscale is not installed (``trust_remote_code=True``)."""
        self.config.auto_map = {
            "AutoConfig": "configuration_lstm.LSTMConfig",
            "AutoModel": "modeling_lstm.LSTMModel",
            "AutoModelForCausalLM": "modeling_lstm.LSTMForCausalLM",
        }
        super().save_pretrained(save_directory, *args, **kwargs)


class LSTMLayer(GradientCheckpointingLayer):
    """One layer by itself, with what may stand around its kernel: a norm before, dropout and a residual connection after. Its weights are the stack's."""

    def __init__(self, config: LSTMConfig, index: int):
        super().__init__()
        self.index = index
        self.norm = nn.LayerNorm(config.output_size, eps=config.layer_norm_eps) if config.layer_norm and index > 0 else None
        self.dropout = nn.Dropout(config.dropout)
        self.is_residual = config.residual and index > 0

    def forward(
        self, x: torch.Tensor, hidden_1BP: torch.Tensor, cell_1BH: torch.Tensor, stack: LSTMStack, lanes: Lanes | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reads x (B, T, ...) from a state.

        Returns:
            What the next layer reads (B, T, P), the hidden states by themselves (B, T, P), and the cell state at the end (1, B, H).
        """
        y_BTP, (_, cell_1BH) = stack(x if self.norm is None else self.norm(x), (hidden_1BP, cell_1BH), layer=self.index, lanes=lanes)
        given_BTP = self.dropout(y_BTP)
        return (x + given_BTP if self.is_residual else given_BTP), y_BTP, cell_1BH


class LSTMModel(LSTMPreTrainedModel):
    """Token embedding and stacked LSTM layers, without the output head."""

    def __init__(self, config: LSTMConfig):
        super().__init__(config)
        output_size = config.output_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.input_size)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = LSTMStack(
            config.input_size,
            config.hidden_size,
            config.num_hidden_layers,
            batch_first=True,
            dropout=config.dropout if config.num_hidden_layers > 1 else 0.0,
            proj_size=config.proj_size or 0,
        )
        self.layers = nn.ModuleList(LSTMLayer(config, index) for index in range(config.num_hidden_layers))
        self.is_plain = not (config.layer_norm or config.residual)
        self.norm = nn.LayerNorm(output_size, eps=config.layer_norm_eps) if config.layer_norm else None
        # Only where a tied head is wider or narrower than the layers' output.
        self.output_projection = nn.Linear(output_size, config.head_size, bias=False) if config.head_size != output_size else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding, (V, E)."""
        return self.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.embed_tokens = value  # type: ignore[assignment]  # a quantised or adapted one is no nn.Embedding

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        cache_params: LSTMState | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> LSTMModelOutput:
        """Reads the sequences, from a zero state or from that after the tokens before them.

        Args:
            input_ids: (B, T) token ids; with ``cache_params``, the new ones alone.
            attention_mask: (B, T), zero where these tokens are padding: on the left, on the right or anywhere. A padded step leaves the state as it is,
                and gives what the last real step gave (zero before the first one).
            inputs_embeds: (B, T, E) instead of ``input_ids``.
            cache_params: the state to start from.
            use_cache: whether to return the state after the last token; None: as the config says, but in training only if a state was passed in.
            output_hidden_states: whether to return what every layer gives; None: as the config says.
            kwargs: ignored, but for what asks for something that the model does not do.

        Returns:
            last_hidden_state (B, T, D), cache_params and hidden_states.

        Raises:
            ValueError: an input is missing or empty, or ids, mask or state do not fit the model and each other.
        """
        check_others(kwargs, attention_mask)
        check_tokens(input_ids, inputs_embeds, self.lstm.input_size)
        tokens: torch.Tensor | None = input_ids if input_ids is not None else inputs_embeds
        assert tokens is not None
        if use_cache is None:
            use_cache = self.config.use_cache and (not self.training or cache_params is not None)
        output_hidden_states = bool(self.config.output_hidden_states if output_hidden_states is None else output_hidden_states)
        if cache_params is not None:
            check_state(cache_params, self.config, tokens)
        lanes = None
        if attention_mask is not None:
            check_mask(attention_mask, tokens)
            if torch.compiler.is_compiling() or not (attention_mask != 0).all():
                lanes = build_lanes(attention_mask.to(tokens.device), is_shared=not use_cache and cache_params is None)
        if lanes is not None:
            tokens = lanes.gather(tokens)
        x_BTE = self._drop(self._embed(tokens) if input_ids is not None else tokens)

        if lanes is None and not output_hidden_states and self._is_one_kernel():
            y_BTP, final = self.lstm(x_BTE, None if cache_params is None else self._initial_state(cache_params, x_BTE))
            last, hidden_states = self._finish(self._drop(y_BTP)), None
        else:
            last, final, hidden_states = self._run_layers(x_BTE, self._initial_state(cache_params, x_BTE), lanes, output_hidden_states)
        return LSTMModelOutput(
            last_hidden_state=last,
            cache_params=LSTMState(hidden=final[0], cell=final[1]) if use_cache else None,
            hidden_states=hidden_states,
        )

    def _is_one_kernel(self) -> bool:
        """Whether nothing has to happen between two layers but what the fused stack does itself."""
        return self.is_plain and not (self.training and any(layer.gradient_checkpointing for layer in self.layers))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x) if self.training and self.dropout.p else x

    def _embed(self, tokens: torch.Tensor) -> torch.Tensor:
        try:
            return self.embed_tokens(tokens)
        except IndexError:  # on a CPU; elsewhere the device refuses it by itself, some time later
            lowest, highest = (int(value) for value in tokens.aminmax())
            raise ValueError(
                f"input_ids holds {lowest if lowest < 0 else highest}, but the vocabulary has the ids 0 to {self.config.vocab_size - 1}; use the model's "
                "own tokenizer, or resize_token_embeddings."
            ) from None

    def _run_layers(
        self, x: torch.Tensor, initial: tuple[torch.Tensor, torch.Tensor], lanes: Lanes | None, output_hidden_states: bool
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...] | None]:
        """One layer after another, for what the fused stack cannot do; the results are back in rows."""
        shown: list[torch.Tensor] = []

        def show(x: torch.Tensor) -> torch.Tensor:
            """Keeps x in rows, and goes on from just that tensor, so that a gradient can be read off it."""
            shown.append(x if lanes is None else lanes.scatter(x))
            return x if lanes is None else lanes.gather(shown[-1])

        hidden, cell = [], []
        for index, layer in enumerate(self.layers):
            if output_hidden_states:
                x = show(x)
            hidden_1BP, cell_1BH = (part[index : index + 1] for part in initial)
            x, y, cell_1BH = layer(x, hidden_1BP, cell_1BH, stack=self.lstm, lanes=lanes)
            cell.append(cell_1BH[0])
            if lanes is None:
                hidden.append(y[:, -1])
            elif not lanes.is_shared:
                hidden.append(lanes.last_of(y, hidden_1BP[0]))
        last = self._finish(x)
        last = last if lanes is None else lanes.scatter(last)
        state = (torch.stack(hidden), torch.stack(cell)) if hidden else initial
        return last, state, (*shown, last) if output_hidden_states else None

    def _finish(self, y_BTP: torch.Tensor) -> torch.Tensor:
        """From the last layer's output to what the head reads, (B, T, D)."""
        if self.norm is not None:
            y_BTP = self.norm(y_BTP)
        return y_BTP if self.output_projection is None else self.output_projection(y_BTP)

    def _initial_state(self, state: LSTMState | None, x_BTE: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The state that the kernels start from, (L, B, P) and (L, B, H); zeros where none was passed."""
        if state is not None:
            assert state.hidden is not None
            assert state.cell is not None
            return state.hidden.to(x_BTE.dtype), state.cell.to(x_BTE.dtype)
        config = self.config
        return (
            x_BTE.new_zeros(config.num_hidden_layers, x_BTE.shape[0], config.output_size),
            x_BTE.new_zeros(config.num_hidden_layers, x_BTE.shape[0], config.hidden_size),
        )


class LSTMForCausalLM(LSTMPreTrainedModel, GenerationMixin):
    """The LSTM with an output head over the vocabulary, tied to the token embedding by default."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012 (transformers' own form)

    def __init__(self, config: LSTMConfig):
        super().__init__(config)
        self.model = LSTMModel(config)
        self.lm_head = nn.Linear(config.head_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        cache_params: LSTMState | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        return_logits: bool = True,
        **kwargs: Any,
    ) -> LSTMCausalLMOutput:
        """Predicts the next token at every position.

        Args:
            input_ids: as for LSTMModel, like the next four.
            attention_mask: (B, T).
            inputs_embeds: (B, T, E).
            cache_params: the state to start from.
            labels: (B, T); position t is scored against labels[:, t+1], or, where ``shift_labels`` (B, T) is passed too, against shift_labels[:, t].
                Labels of -100 are not scored.
            use_cache: whether to return the state after the last token.
            output_hidden_states: whether to return what every layer gives.
            logits_to_keep: compute logits of the last so many positions only (0: all), or of the positions in a tensor.
            return_logits: False where only the loss is wanted: the head then reads scored positions alone, and logits that are many are never in
                memory all at once, in the backward pass neither.
            kwargs: ``shift_labels``, and ``num_items_in_batch``: the sum of the losses is divided by it, instead of by the number of labels. Others as
                for LSTMModel.

        Returns:
            loss (a scalar, nats per token), logits (B, T, V), cache_params and hidden_states.

        Raises:
            ValueError: as for LSTMModel, or ``return_logits`` is off without labels, or ``logits_to_keep`` given with them.
        """
        if not return_logits and labels is None:
            raise ValueError(
                "return_logits=False was given without labels, which leaves nothing to compute; pass labels, or ask LSTMModel."
            )
        if labels is not None and not (isinstance(logits_to_keep, int) and logits_to_keep == 0):
            raise ValueError("labels were given with logits_to_keep, but a loss needs every position; leave one of them out.")
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            cache_params=cache_params,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            **{**kwargs, "return_dict": True},
        )
        hidden = outputs.last_hidden_state[:, slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep, :]
        loss, logits = None, None
        if labels is not None and not return_logits and self._has_plain_head():
            loss_settings = {name: kwargs[name] for name in ("shift_labels", "num_items_in_batch", "ignore_index") if name in kwargs}
            loss = head_loss(hidden, self.lm_head.weight, labels, **loss_settings)
        else:
            logits = self.lm_head(hidden)
            if labels is not None:
                loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return LSTMCausalLMOutput(
            loss=loss, logits=logits if return_logits else None, cache_params=outputs.cache_params, hidden_states=outputs.hidden_states
        )

    def _has_plain_head(self) -> bool:
        """Whether loss and head are the standard ones: no adapter on the head, no loss of the user's own."""
        return type(self.lm_head) is nn.Linear and self.loss_function is ForCausalLMLoss

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Tells generate() that the model makes its own cache, which is no cache of keys and values."""
        return False

    def prepare_inputs_for_generation(  # type: ignore[override]  # by keyword alone, as generate() calls it
        self,
        input_ids: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        is_first_iteration: bool | None = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What generate() passes to ``forward``; once there is a state, the new tokens are all there is, and none of them is padding.

        generate() looks for ``inputs_embeds`` among the parameters to know whether a prompt can be given so.
        """
        if use_cache and not is_first_iteration:
            attention_mask = None
        return super().prepare_inputs_for_generation(  # type: ignore[misc]  # a mixin that names its host as self
            input_ids,
            attention_mask=attention_mask,  # type: ignore[arg-type]
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: torch.LongTensor | None = None, **model_kwargs: Any
    ) -> tuple[torch.LongTensor, dict[str, Any]]:
        """Repeats every sequence for its beams or samples, a passed state with it."""
        state = model_kwargs.get("cache_params")
        if state is not None and expand_size > 1:
            model_kwargs["cache_params"] = state.repeat_interleave(expand_size)
        return super()._expand_inputs_for_generation(  # type: ignore[misc]
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **model_kwargs
        )


# Saved folders carry these files (remote code).
LSTMModel.register_for_auto_class("AutoModel")
LSTMForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = ["LSTMForCausalLM", "LSTMModel", "LSTMPreTrainedModel"]
