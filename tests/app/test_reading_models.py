"""ReadingModels: only what is listed opens, torch comes with the first model, few are kept, and limits are sentences."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_ctxscale.app import opened_models, reading_models
from hf_ctxscale.app.reading_models import KEPT_MODELS, ReadingModels
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.app.shipped import shipped_checkpoints
from hf_ctxscale.scoring.open_model import open_causal_lm
from hf_ctxscale.scoring.token_by_token import score_text
from hf_ctxscale.study import UserError
from tests.hub_stand_in import HubStandIn

TEXT = "def first(numbers):\n    return numbers[0]\n"
SHIPPED = shipped_checkpoints()


def folder_of(model_type: str) -> Path:
    return next(folder for folder in SHIPPED.values() if json.loads((folder / "config.json").read_text())["model_type"] == model_type)


LSTM, TRANSFORMER = folder_of("ctxscale_lstm"), folder_of("gpt2")


@pytest.fixture(scope="module")
def models() -> ReadingModels:
    return ReadingModels({"an LSTM": LSTM, "a Transformer": TRANSFORMER})


def test_a_text_is_read_as_score_text_reads_it(models: ReadingModels) -> None:
    for name, folder in (("an LSTM", LSTM), ("a Transformer", TRANSFORMER)):
        found = models.read(name, TEXT, short_context_tokens=4)
        expected = score_text(open_causal_lm(str(folder)), TEXT, short_context_tokens=4)
        assert found.model == name
        assert found.pieces == expected.pieces
        np.testing.assert_array_equal(found.loss_full_nats, expected.loss_full_nats)
        np.testing.assert_array_equal(found.loss_short_nats, expected.loss_short_nats)


def test_an_lstm_and_a_transformer_come_first_whatever_their_order() -> None:
    assert ReadingModels({"t": TRANSFORMER, "l": LSTM}).first_pair() == ("l", "t")
    assert ReadingModels({"l": LSTM, "t": TRANSFORMER, "hub": "somebody/something"}).first_pair() == ("l", "t")
    assert ReadingModels({"t": TRANSFORMER}).first_pair() == ("t",)
    assert ReadingModels({}).first_pair() == ()


def test_a_position_limit_bounds_the_short_context_and_an_lstm_has_none(models: ReadingModels) -> None:
    positions = json.loads((TRANSFORMER / "config.json").read_text())["n_positions"]
    assert models.load("an LSTM") is None
    assert models.load("a Transformer") == positions // 2


@pytest.mark.parametrize("name", ["openai-community/gpt2", str(LSTM), "../checkpoints", "<b>", ""])
def test_a_model_that_is_not_listed_is_not_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_models, "_open", lambda *given, **more: pytest.fail("it was opened"))
    with pytest.raises(UserError) as caught:
        ReadingModels({"an LSTM": LSTM}).read(name, TEXT, short_context_tokens=4)
    assert str(caught.value) == f"{name!r} is not among the models that can be read here: an LSTM. Choose one of them."


def test_few_models_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    opened_model = open_causal_lm(str(LSTM))

    def note(where: Path, *, name: str) -> Any:
        opened.append(name)
        return opened_model

    monkeypatch.setattr(reading_models, "open_listed", note)
    models = ReadingModels({str(number): LSTM for number in range(KEPT_MODELS + 1)})
    for name in models.names:
        models.load(name)
    models.load(models.names[-1])
    models.load(models.names[0])
    assert opened == [*models.names, models.names[0]]


def test_long_texts_and_slow_readings_are_refused_in_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ReadingModels({"an LSTM": LSTM}, limits=Limits(text_characters=100, text_tokens=10, reading_seconds=7))
    with pytest.raises(UserError, match=r"^the text has 101 characters; at most 100 are read here: shorten it\.$"):
        models.read("an LSTM", "x" * 101, short_context_tokens=4)
    with pytest.raises(UserError, match=r"^the text is \d+ tokens long for an LSTM; at most 10 are read here: shorten it\.$"):
        models.read("an LSTM", TEXT, short_context_tokens=4)
    clock = iter([0.0, 8.0])
    monkeypatch.setattr(reading_models.time, "monotonic", lambda: next(clock))
    with pytest.raises(UserError, match=r"^reading took longer than 7 seconds; give a shorter text"):
        models.read("an LSTM", "a b c d", short_context_tokens=1)


def test_a_text_of_one_token_is_refused_in_a_sentence(models: ReadingModels) -> None:
    with pytest.raises(UserError, match=r"for 'an LSTM'.* give a longer text"):
        models.read("an LSTM", "a", short_context_tokens=4)


def test_messages_name_a_model_as_it_is_listed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        ReadingModels({"broken": tmp_path}).load("broken")
    assert "'broken'" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    auto_map = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto_map}))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    with pytest.raises(UserError, match=r"^model 'evil' comes with code of its own, which is never run here"):
        ReadingModels({"evil": tmp_path}).load("evil")
    assert not (tmp_path / "run").exists()


IN_A_CLEAN_PROCESS = """
import sys
from pathlib import Path
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.study import UserError
models = ReadingModels({"listed": "me/listed"}, any_model=True, limits=Limits(model_megabytes=5))
print(models.names, "torch" in sys.modules)
for name in sys.argv[1:]:
    try:
        print(name, len(models.read(name, "a = 1\\nb = 2\\n", short_context_tokens=2).pieces) > 2)
    except UserError as error:
        print(error)
"""


def test_models_of_the_hub_open_where_the_owner_allows_it_without_code_pickles_or_a_login(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in LSTM.iterdir()}
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "folder").symlink_to(TRANSFORMER)
    with HubStandIn() as hub:
        hub.add_commit("me/listed", files)
        hub.add_commit("me/any", files | {"modeling_lstm.py": b"raise SystemExit", "pytorch_model.bin": b"pickle"})
        hub.add_commit("me/private", files, private=True)
        hub.add_commit("me/pickled", {"config.json": files["config.json"], "pytorch_model.bin": b"pickle"})
        config = json.loads(files["config.json"]) | {"hidden_size": 50_000}
        hub.add_commit("me/pretends", files | {"config.json": json.dumps(config).encode()})
        deep = json.loads(files["config.json"]) | {"num_hidden_layers": 10**9}
        hub.add_commit("me/deep", files | {"config.json": json.dumps(deep).encode()})
        hub.add_commit("me/adapted", files | {"adapter_config.json": b'{"base_model_name_or_path": "me/private"}'})
        hub.add_commit("me/large", files | {"more.safetensors": bytes(6_000_000)})
        names = [
            "listed",
            "me/any",
            "me/private",
            "me/pickled",
            "me/large",
            "me/pretends",
            "me/deep",
            "me/adapted",
            "me/folder",
            "./me/folder",
            str(LSTM),
        ]
        done = subprocess.run(
            [sys.executable, "-c", IN_A_CLEAN_PROCESS, *names],
            env=hub.environment(tmp_path) | {"PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        asked = [path for _, path in hub.requests]
    assert done.stdout.splitlines() == [
        "('listed',) False",
        "listed True",
        "me/any True",
        "there is no model 'me/private' on the Hugging Face Hub that everybody may read; check the spelling (private ones are not read here).",
        "model 'me/pickled' has no weights in the safetensors format; other formats are not opened here. Choose another model.",
        "model 'me/large' has 8 MB of files; at most 5 MB are loaded here: choose a smaller model.",
        "model 'me/pretends' is larger than its files: its config names more parameters than 5 MB hold. Choose another model.",
        "model 'me/deep' is larger than its files: its config names more parameters than 5 MB hold. Choose another model.",
        "me/adapted True",
        "there is no model 'me/folder' on the Hugging Face Hub that everybody may read; check the spelling (private ones are not read here).",
        "'./me/folder' is no id of the Hugging Face Hub; write it as OWNER/NAME.",
        f"'{LSTM}' is no id of the Hugging Face Hub; write it as OWNER/NAME.",
    ], done.stderr
    assert not [path for path in asked if path.endswith((".py", ".bin", "adapter_config.json"))]
    assert not [path for path in asked if "me/large/resolve" in path]
