"""Registers the package's own architectures with transformers' Auto classes; `import hf_ctxscale.models` is all it takes."""

from hf_ctxscale.models.lstm.configuration_lstm import LSTMConfig  # first: refuses a transformers that is too old
from hf_ctxscale.models.lstm.modeling_lstm import LSTMForCausalLM, LSTMModel
from hf_ctxscale.models.lstm.state_lstm import LSTMState
from hf_ctxscale.models.registration import register

register(LSTMConfig, base=LSTMModel, causal_lm=LSTMForCausalLM)

__all__ = ["LSTMConfig", "LSTMForCausalLM", "LSTMModel", "LSTMState"]
