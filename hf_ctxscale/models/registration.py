"""register: puts a model of ours among transformers' Auto classes, and refuses to push another one out."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING


def register(config: type[PreTrainedConfig], *, base: type[PreTrainedModel], causal_lm: type[PreTrainedModel]) -> None:
    """Registers a config and its two models; doing so again does nothing.

    transformers itself would silently replace an earlier registration of the same name.

    Raises:
        ImportError: another package has taken the config's model_type.
    """
    if config.model_type in CONFIG_MAPPING:
        other = CONFIG_MAPPING[config.model_type]
        if other.__module__ != config.__module__:
            raise ImportError(
                f"the model_type {config.model_type!r} is taken by {other.__module__}.{other.__qualname__}, and hf-ctxscale needs it for "
                f"{config.__qualname__}; do not import both in one process."
            )
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModel.register(config, base, exist_ok=True)
    AutoModelForCausalLM.register(config, causal_lm, exist_ok=True)
