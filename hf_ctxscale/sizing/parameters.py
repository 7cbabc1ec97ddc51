"""build_config and count_parameters: a shape as a transformers config, and its exact number of parameters by group."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

import hf_ctxscale.models  # noqa: F401 (registers the LSTM)
from hf_ctxscale.architectures import Shape, find_architecture
from hf_ctxscale.records import ParameterGroups


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of one model.

    Attributes:
        groups: by group; they add up to ``num_parameters()``.
        body_matrix_weights: elements of the body's matrices, each used in one multiply-add per token.
        head_weights: elements of the output head, whether tied or not.
    """

    groups: ParameterGroups
    body_matrix_weights: int
    head_weights: int


def build_config(
    architecture: str, shape: Shape, *, vocab_size: int, context_tokens: int, dropout: float = 0.0, end_of_text_id: int | None = None
) -> PreTrainedConfig:
    """The transformers config of a shape."""
    entry = find_architecture(architecture)
    fields = entry.config_fields(shape, vocab_size, context_tokens, dropout)
    return AutoConfig.for_model(entry.model_type, **fields, bos_token_id=end_of_text_id, eos_token_id=end_of_text_id)


def count_config(config: PreTrainedConfig) -> ParameterCount:
    """Counts the parameters of a config's causal LM without allocating them."""
    with torch.device("meta"):
        return count_parameters(AutoModelForCausalLM.from_config(config))


def count_parameters(model: PreTrainedModel) -> ParameterCount:
    """Counts a causal LM's parameters by group; tied weights count once, with the token embedding.

    An embedding other than that of the tokens counts as position embedding.
    """
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    head_parameters = [] if head is None else list(head.parameters())
    group_of: dict[int, str] = {id(parameter): "output_head" for parameter in head_parameters}
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            group_of[id(module.weight)] = "position_embedding"
    group_of[id(embedding)] = "token_embedding"

    counts = dict.fromkeys(("token_embedding", "position_embedding", "output_head", "body"), 0)
    body_matrix_weights = 0
    for parameter in model.parameters():  # every shared parameter once
        group = group_of.get(id(parameter), "body")
        counts[group] += parameter.numel()
        if group == "body" and parameter.ndim >= 2:
            body_matrix_weights += parameter.numel()
    return ParameterCount(
        groups=ParameterGroups(**counts),
        body_matrix_weights=body_matrix_weights,
        head_weights=sum(p.numel() for p in head_parameters if p.ndim >= 2),
    )
