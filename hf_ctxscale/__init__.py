"""hf-ctxscale: how well does a language model use its context, and how does that change with scale and architecture?

Public names are loaded when they are touched, so that ``import hf_ctxscale`` alone stays light.
"""

from importlib import import_module
from typing import Any

# Name -> the module that has it. Touching a model class registers it with transformers' Auto classes.
_HOMES = {
    "LSTMConfig": "hf_ctxscale.models",
    "LSTMForCausalLM": "hf_ctxscale.models",
    "LSTMModel": "hf_ctxscale.models",
    "LSTMState": "hf_ctxscale.models",
    "score": "hf_ctxscale.scoring.score",
}
__all__ = ["LSTMConfig", "LSTMForCausalLM", "LSTMModel", "LSTMState", "score"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
