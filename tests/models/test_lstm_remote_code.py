"""Saved LSTMs where the package is not installed, and who may have the model_type."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline

import hf_ctxscale.models
from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM, LSTMModel, LSTMState
from hf_ctxscale.models.lstm.supported_transformers import MIN_TRANSFORMERS
from tests.models.small_models import PROMPTS, REPOSITORY, SHAPES, assert_equal_bits, some_ids

# Remote code


def measure(folder: str, prompts: list[str], **settings) -> dict:
    """What a saved model gives, in numbers that JSON holds exactly; run here with the package, and its source in a process without it."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **settings)
    causal = AutoModelForCausalLM.from_pretrained(folder, **settings)
    base = AutoModel.from_pretrained(folder, **settings)
    generate = pipeline("text-generation", model=folder, device="cpu", **settings)
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    torch.manual_seed(3)
    return {
        "classes": [type(AutoConfig.from_pretrained(folder, **settings)).__name__, type(base).__name__, type(causal).__name__],
        "modules": sorted({type(base).__module__.split(".")[0], type(causal).__module__.split(".")[0]}),
        "logits": causal(**batch).logits.tolist(),
        "hidden": base(**batch).last_hidden_state.tolist(),
        "greedy": causal.generate(**batch, max_new_tokens=12, do_sample=False).tolist(),
        "samples": causal.generate(**batch, max_new_tokens=12, do_sample=True, num_return_sequences=2).tolist(),
        "text": generate(prompts, batch_size=3, max_new_tokens=12, do_sample=False),
    }


WITHOUT_THE_PACKAGE = """
import sys

class NoPackage:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_ctxscale":
            raise ImportError("hf_ctxscale is not installed here")

sys.meta_path.insert(0, NoPackage())
"""

# Measures every folder, saves its models once more, and says how a folder opens without trust_remote_code.
REMOTE = """
import json
from pathlib import Path

try:
    import hf_ctxscale
except ImportError as error:
    refused = str(error)

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, pipeline

asked = json.loads(Path(sys.argv[1]).read_text())
given = {"package": refused, "results": {}, "untrusted": {}}
for name, folder in asked["folders"].items():
    given["results"][name] = measure(folder, asked["prompts"], trust_remote_code=True)
    for opened in (AutoConfig, AutoModel, AutoModelForCausalLM):
        try:
            opened.from_pretrained(folder)
            given["untrusted"][name, opened.__name__] = None
        except ValueError as error:
            given["untrusted"][name, opened.__name__] = str(error)
    if name in asked["copies"]:
        kind = AutoModel if name == "base model" else AutoModelForCausalLM
        kind.from_pretrained(folder, trust_remote_code=True).save_pretrained(asked["copies"][name])
        AutoTokenizer.from_pretrained(folder, trust_remote_code=True).save_pretrained(asked["copies"][name])
given["untrusted"] = [[*key, words] for key, words in given["untrusted"].items()]
Path(sys.argv[2]).write_text(json.dumps(given))
"""


def run_python(script: str, *arguments, cache: Path) -> subprocess.CompletedProcess:
    """A script in a process of its own, with a Hugging Face cache of its own."""
    environment = {
        **os.environ,
        "HF_HOME": str(cache),
        "HF_MODULES_CACHE": str(cache / "modules"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cache, check=False)


def run_remote(folders: dict[str, Path], *, copies: dict[str, Path], work: Path) -> dict:
    asked, given = work / "asked.json", work / "given.json"
    asked.write_text(json.dumps({"folders": folders, "copies": copies, "prompts": PROMPTS}, default=str))
    done = run_python(WITHOUT_THE_PACKAGE + inspect.getsource(measure) + REMOTE, asked, given, cache=work)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(given.read_text())


@pytest.fixture(scope="module")
def remote(folders, tmp_path_factory) -> tuple[dict, dict, dict[str, Path]]:
    """What two processes without the package gave: of the saved folders, and of the copies that the first of them saved; and these copies."""
    works = [tmp_path_factory.mktemp("remote") for _ in range(2)]
    copies = {name: works[0] / f"copy {number}" for number, name in enumerate(folders)}
    first = run_remote(folders, copies=copies, work=works[0])
    return first, run_remote(copies, copies={}, work=works[1]), copies


REMOTE_FILES = {
    "configuration_lstm.py",
    "head_loss_lstm.py",
    "inputs_lstm.py",
    "lanes_lstm.py",
    "modeling_lstm.py",
    "stack_lstm.py",
    "state_lstm.py",
    "supported_transformers.py",
}
AUTO_MAP = {
    "AutoConfig": "configuration_lstm.LSTMConfig",
    "AutoModel": "modeling_lstm.LSTMModel",
    "AutoModelForCausalLM": "modeling_lstm.LSTMForCausalLM",
}
every_folder = pytest.mark.parametrize("name", [*SHAPES, "base model"])


@every_folder
def test_a_saved_folder_holds_every_file_of_code_and_says_which_class_is_where(name, folders):
    source = Path(inspect.getfile(LSTMModel)).parent
    assert {path.name for path in source.glob("*.py")} - {"__init__.py"} == REMOTE_FILES
    assert {path.name for path in folders[name].glob("*.py")} == REMOTE_FILES
    assert all((folders[name] / file).read_text() == (source / file).read_text() for file in REMOTE_FILES)
    assert json.loads((folders[name] / "config.json").read_text())["auto_map"] == AUTO_MAP


@every_folder
def test_remote_code_gives_what_the_package_gives(name, folders, remote):
    first, _, _ = remote
    assert first["package"] == "hf_ctxscale is not installed here"
    expected = measure(str(folders[name]), PROMPTS)
    given = first["results"][name]
    assert expected.pop("modules") == ["hf_ctxscale"]
    assert given.pop("modules") == ["transformers_modules"]
    assert expected["classes"] == ["LSTMConfig", "LSTMModel", "LSTMForCausalLM"]
    for key, value in expected.items():
        assert given[key] == value, key


@every_folder
def test_a_copy_saved_from_remote_code_is_as_good_as_the_first_folder(name, folders, remote):
    first, second, copies = remote
    assert {path.name for path in copies[name].glob("*.py")} == REMOTE_FILES
    assert json.loads((copies[name] / "config.json").read_text())["auto_map"] == AUTO_MAP
    for key, value in first["results"][name].items():
        assert second["results"][name][key] == value, key
    assert type(AutoModelForCausalLM.from_pretrained(copies[name])) is LSTMForCausalLM
    assert_equal_bits(load_file(copies[name] / "model.safetensors"), load_file(folders[name] / "model.safetensors"))


@every_folder
@pytest.mark.parametrize("opened", ["AutoConfig", "AutoModel", "AutoModelForCausalLM"])
def test_untrusted_code_is_refused_where_the_package_is_missing(name, opened, remote):
    [words] = [words for folder, auto_class, words in remote[0]["untrusted"] if (folder, auto_class) == (name, opened)]
    assert words is not None
    assert "contains custom code which must be executed to correctly load the model" in words
    assert "`trust_remote_code=True`" in words


@every_folder
def test_with_the_package_a_folder_needs_no_trust(name, folders, tmp_path):
    assert type(AutoConfig.from_pretrained(folders[name])) is LSTMConfig
    assert type(AutoModel.from_pretrained(folders[name])) is LSTMModel
    model = AutoModelForCausalLM.from_pretrained(folders[name])
    assert type(model) is LSTMForCausalLM
    assert type(model(some_ids(), use_cache=True).cache_params) is LSTMState
    # Reading a folder puts its path into the auto_map, which may not travel on.
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["auto_map"] == AUTO_MAP


# Registration and versions

REIMPORTED = """
import importlib, sys
import hf_ctxscale.models
import hf_ctxscale.models
importlib.reload(hf_ctxscale.models)
for name in [name for name in sys.modules if name.startswith("hf_ctxscale")]:
    del sys.modules[name]
import hf_ctxscale.models
from transformers import AutoConfig, AutoModelForCausalLM
config = AutoConfig.for_model("ctxscale_lstm", vocab_size=11, hidden_size=6)
assert type(config) is hf_ctxscale.models.LSTMConfig
assert type(AutoModelForCausalLM.from_config(config)) is hf_ctxscale.models.LSTMForCausalLM
"""

# A transformers that is too old, through remote code first and then through the package; then another owner of the name, in the right release.
REFUSED = """
import json, sys
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

def words_of(attempt):
    try:
        attempt()
    except ImportError as error:
        return str(error)

def import_package():
    import hf_ctxscale.models

release, transformers.__version__ = transformers.__version__, "5.16.0"
too_old = [
    words_of(lambda: AutoConfig.from_pretrained(sys.argv[1], trust_remote_code=True)),
    words_of(lambda: AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)),
    words_of(import_package),
]
transformers.__version__ = release

class SomebodysConfig(PreTrainedConfig):
    model_type = "ctxscale_lstm"

SomebodysConfig.__module__ = "somebodys.models"
AutoConfig.register("ctxscale_lstm", SomebodysConfig)
taken = words_of(import_package)
owner = type(AutoConfig.for_model("ctxscale_lstm")).__name__
print(json.dumps({"too_old": too_old, "taken": taken, "owner": owner}))
"""


@pytest.fixture(scope="module")
def refused(folders, tmp_path_factory) -> dict:
    done = run_python(REFUSED, folders["plain"], cache=tmp_path_factory.mktemp("refused"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_again_is_fine(tmp_path):
    importlib.reload(hf_ctxscale.models)
    assert type(AutoConfig.for_model("ctxscale_lstm", hidden_size=6)) is hf_ctxscale.models.LSTMConfig is LSTMConfig
    done = run_python(REIMPORTED, cache=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_model_type_that_somebody_has_taken_is_left_to_them_in_words(refused):
    assert refused["taken"] == (
        "the model_type 'ctxscale_lstm' is taken by somebodys.models.SomebodysConfig, and hf-ctxscale needs it for LSTMConfig; "
        "do not import both in one process."
    )
    assert refused["owner"] == "SomebodysConfig"


def test_a_transformers_that_is_too_old_is_refused_in_words(refused):
    words = (
        f"transformers 5.16.0 is installed, but the ctxscale LSTM needs {MIN_TRANSFORMERS} or newer; "
        f'run: pip install --upgrade "transformers>={MIN_TRANSFORMERS}".'
    )
    assert refused["too_old"] == [words] * 3


def test_the_oldest_transformers_is_the_one_that_the_package_asks_for():
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        requirements = tomllib.load(file)["project"]["optional-dependencies"]["train"]
    [bound] = [found[1] for text in requirements if (found := re.fullmatch(r"transformers>=([\d.]+)", text))]
    assert bound == MIN_TRANSFORMERS
