"""transformers' own model and configuration tests, over the LSTM; run_transformers_tests.py puts this file beside them and runs it.

In the repository it cannot be imported: the modules it inherits from lie in transformers' sdist, and a copy of it is run among them.
"""

import unittest
from typing import Any, ClassVar

import torch
from transformers import MODEL_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_MAPPING_NAMES
from transformers.testing_utils import torch_device

from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel

from .generation.test_utils import GenerationTesterMixin
from .test_configuration_common import ConfigTester
from .test_modeling_common import ModelTesterMixin, ids_tensor

# The tests look a class's name up in these tables to learn whether it takes labels; registering with the Auto classes does not enter it there.
MODEL_MAPPING_NAMES[LSTMConfig.model_type] = LSTMModel.__name__
MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[LSTMConfig.model_type] = LSTMForCausalLM.__name__


class LSTMModelTester:
    """What the common tests ask about the model under test, and its small inputs."""

    is_training = True
    batch_size = 3
    seq_length = 7
    vocab_size = 99
    hidden_size = 32
    num_hidden_layers = 2

    def __init__(self, **fields: Any):
        self.fields = fields

    def get_config(self) -> LSTMConfig:
        """The settings of a small LSTM."""
        return LSTMConfig(vocab_size=self.vocab_size, hidden_size=self.hidden_size, num_hidden_layers=self.num_hidden_layers, **self.fields)

    def prepare_config_and_inputs_for_common(self) -> tuple[LSTMConfig, dict[str, Any]]:
        """A small config, and a batch whose rows are 1, 2 and 3 tokens, the rest of them padding."""
        input_ids = ids_tensor([self.batch_size, self.seq_length], self.vocab_size)
        return self.get_config(), {"input_ids": input_ids, "attention_mask": torch.tril(torch.ones_like(input_ids)).to(torch_device)}


class LSTMModelTest(ModelTesterMixin, GenerationTesterMixin, unittest.TestCase):
    """Every test of ModelTesterMixin over both models, and ConfigTester's over their config."""

    all_model_classes = (LSTMModel, LSTMForCausalLM)
    # A recurrent model has no attention weights to return.
    has_attentions = False
    # Without it, one test is left out for every model whose config's file has no copyright of 2023 or later.
    test_can_init_all_missing_weights_before_2023 = True
    # Beyond the tester's sizes.
    fields: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.model_tester = LSTMModelTester(**self.fields)
        self.config_tester = ConfigTester(
            self, config_class=LSTMConfig, common_properties=["hidden_size", "num_hidden_layers"], hidden_size=37, **self.fields
        )

    def test_config(self) -> None:
        self.config_tester.run_common_tests()

    def test_no_test_passes_for_want_of_a_feature(self) -> None:
        """Some tests return early, and pass, for a model without gradient checkpointing or one that AutoModel does not know."""
        assert LSTMConfig in MODEL_MAPPING
        for model_class in self.all_model_classes:
            assert model_class.supports_gradient_checkpointing


class LSTMModelWithEveryOptionTest(LSTMModelTest):
    """The same over an LSTM with projections, residual connections, norms, dropout and an output head of its own weights."""

    fields: ClassVar[dict[str, Any]] = {
        "embedding_size": 32,
        "proj_size": 16,
        "residual": True,
        "layer_norm": True,
        "dropout": 0.1,
        "tie_word_embeddings": False,
    }
