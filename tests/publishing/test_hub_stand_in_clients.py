"""transformers, datasets and evaluate, unmodified and in processes of their own, against the stand-in for the Hub."""

import json
import subprocess
import sys

import pytest

from tests.hub_stand_in import HubStandIn

TRANSFORMERS = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, GPT2Config, GPT2LMHeadModel
from tokenizers import Tokenizer, models, pre_tokenizers

torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(vocab_size=3, n_positions=8, n_embd=4, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)).eval()
plain = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2}, unk_token="a"))
plain.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="a")
model.push_to_hub("me/pushed", private=True)
tokenizer.push_to_hub("me/pushed")
opened = AutoModelForCausalLM.from_pretrained("me/pushed")
ids = AutoTokenizer.from_pretrained("me/pushed")("a b c b", return_tensors="pt")["input_ids"]
print(json.dumps({"ids": ids.tolist(), "same": bool(torch.equal(model(ids).logits, opened(ids).logits))}))
"""

DATASETS = """
from datasets import Dataset, get_dataset_config_names, load_dataset

Dataset.from_dict({"step": [1, 2, 3], "loss": [3.0, 2.5, 2.25]}).push_to_hub("me/pushed", "history", private=True)
Dataset.from_dict({"run_id": ["a"]}).push_to_hub("me/pushed", "runs")
history, runs = (load_dataset("me/pushed", name)["train"].to_dict() for name in ("history", "runs"))
print(json.dumps({"history": history, "runs": runs, "names": sorted(get_dataset_config_names("me/pushed"))}))
"""

METRIC = '''
"""A metric of two files."""
import datasets
import evaluate

from .doubling import doubled


class Mean(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("float64")})
        return evaluate.MetricInfo(description="mean, twice", citation="", inputs_description="", features=features)

    def _compute(self, predictions):
        return {"mean": doubled(sum(predictions) / len(predictions))}
'''

EVALUATE = """
import evaluate

print(json.dumps(evaluate.load("me/twice_the_mean").compute(predictions=[1.0, 2.0, 6.0])))
"""


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        yield hub


def given_by(script: str, hub: HubStandIn, folder) -> dict:
    """What a script prints in a process that talks to the stand-in alone."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json\n{script}"],
        capture_output=True,
        text=True,
        env=hub.environment(folder),
        cwd=folder,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert hub.unanswered == []
    assert hub.elsewhere == []
    return json.loads(done.stdout.splitlines()[-1])


def test_transformers_pushes_a_model_and_loads_it_again(hub, tmp_path):
    assert given_by(TRANSFORMERS, hub, tmp_path) == {"ids": [[0, 1, 2, 1]], "same": True}
    assert hub.repository("me/pushed").private
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(hub.files("me/pushed"))


def test_datasets_pushes_two_configs_and_loads_them_again(hub, tmp_path):
    assert given_by(DATASETS, hub, tmp_path) == {
        "history": {"step": [1, 2, 3], "loss": [3.0, 2.5, 2.25]},
        "runs": {"run_id": ["a"]},
        "names": ["history", "runs"],
    }
    assert hub.repository("me/pushed", "dataset").private


def test_evaluate_loads_a_metric_of_two_files_from_a_space(hub, tmp_path):
    hub.add_commit(
        "me/twice_the_mean",
        {"twice_the_mean.py": METRIC.lstrip().encode(), "doubling.py": b"def doubled(value):\n    return 2 * value\n"},
        repo_type="space",
    )
    assert given_by(EVALUATE, hub, tmp_path) == {"mean": 6.0}
