"""Registers the package's own architectures with transformers' Auto classes; `import hf_ctxscale.models` is all it takes."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from hf_ctxscale.models.lstm.configuration_lstm import LSTMConfig
from hf_ctxscale.models.lstm.modeling_lstm import LSTMForCausalLM, LSTMModel

AutoConfig.register(LSTMConfig.model_type, LSTMConfig, exist_ok=True)
AutoModel.register(LSTMConfig, LSTMModel, exist_ok=True)
AutoModelForCausalLM.register(LSTMConfig, LSTMForCausalLM, exist_ok=True)

__all__ = ["LSTMConfig", "LSTMForCausalLM", "LSTMModel"]
