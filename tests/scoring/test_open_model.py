"""Opening any causal LM: what is refused and in which words, its positions, and what stands before every window."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, LlamaConfig, LlamaModel, T5Config, ViTConfig

from hf_ctxscale.scoring.open_model import bos_ids_of, max_positions_of, open_causal_lm
from hf_ctxscale.scoring.score_models import check_positions
from hf_ctxscale.study import UserError
from tests.scoring.read_along_models import SHAPES, VOCAB_SIZE, byte_fallback_tokenizer, byte_level_tokenizer
from tests.scoring.saved_models import keep_own_code_in, save_tiny, save_with_own_code


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A whole GPT-2 folder; not to be changed."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny", n_positions=24)


@pytest.fixture
def copied(tiny, tmp_path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(tiny, tmp_path / "copied"))


def test_a_folder_gives_model_and_tokenizer_ready_to_be_scored(tiny):
    opened = open_causal_lm(str(tiny))
    assert (opened.name, opened.revision, opened.max_positions) == (str(tiny), None, 24)
    assert not opened.model.training
    assert opened.model.dtype == torch.float32
    assert opened.model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert len(opened.tokenizer) == VOCAB_SIZE


def test_the_precision_is_what_was_asked_for_or_saved(tiny, tmp_path):
    folder = tmp_path / "saved"
    open_causal_lm(str(tiny), dtype="bfloat16").model.save_pretrained(folder)
    dtypes = {name: open_causal_lm(str(folder), dtype=name, tokenizer=str(tiny)).model.dtype for name in ("auto", "float64", "float16")}
    assert dtypes == {"auto": torch.bfloat16, "float64": torch.float64, "float16": torch.float16}


def test_a_model_of_fewer_positions_than_the_check_reads_opens(tmp_path):
    assert open_causal_lm(str(save_tiny(tmp_path / "short", n_positions=3))).max_positions == 3


def _damaged(change: Callable[[Path], object]) -> Callable[[Path], str]:
    def prepared(folder: Path) -> str:
        change(folder)
        return str(folder)

    return prepared


def _config(config) -> Callable[[Path], str]:
    return _damaged(lambda folder: config.save_pretrained(folder))


def _bert(folder: Path) -> None:
    config = AutoConfig.for_model(
        "bert",
        vocab_size=VOCAB_SIZE,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)


def _headless(folder: Path) -> None:
    LlamaModel(LlamaConfig(vocab_size=VOCAB_SIZE, **SHAPES["llama"])).save_pretrained(folder)


def _without_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def _cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _set(folder: Path, **fields) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


REFUSED: dict[str, tuple[Callable[[Path], str], str]] = {
    "no folder": (
        lambda folder: f"{folder}/nowhere",
        "there is no model folder '{folder}/nowhere'; give a folder that from_pretrained opens",
    ),
    "a file": (lambda folder: f"{folder}/config.json", "there is no model folder '{folder}/config.json'"),
    "no config": (_damaged(lambda folder: (folder / "config.json").unlink()), "holds no config.json, so it is no saved model"),
    "broken config": (_damaged(lambda folder: (folder / "config.json").write_text("{")), "model '{folder}' cannot be opened: "),
    "unknown type": (_damaged(lambda folder: _set(folder, model_type="no_such_type")), "model '{folder}' cannot be opened: "),
    "image model": (_config(ViTConfig()), "is of type 'vit', which AutoModelForCausalLM does not open; only causal language models can be"),
    "encoder-decoder": (_config(T5Config()), "is an encoder-decoder (t5), which reads a source text besides its own; only causal"),
    "looks ahead": (_damaged(_bert), "(BertLMHeadModel) is not causal: its prediction after a token changes with the tokens that follow"),
    "no head": (
        _damaged(_headless),
        "lacks 1 weights of a causal language model, 'lm_head.weight' among them, which would be left at random",
    ),
    "no weights": (_damaged(lambda folder: (folder / "model.safetensors").unlink()), "model '{folder}' cannot be opened: "),
    "cut short": (_damaged(_cut_short), "the weights of model '{folder}' are damaged or not whole ("),
    "other shapes": (
        _damaged(lambda folder: _set(folder, n_embd=32)),
        "the weights of model '{folder}' have other shapes than its config.json",
    ),
    "no tokenizer": (_damaged(_without_tokenizer), "; save one into the folder with tokenizer.save_pretrained(FOLDER), or name one with"),
    "broken tokenizer": (
        _damaged(lambda folder: (folder / "tokenizer.json").write_text("{}")),
        "model '{folder}' has no tokenizer that AutoTokenizer opens (",
    ),
    "another vocabulary": (
        _damaged(lambda folder: save_tiny(folder, vocab_size=100)),
        "the tokenizer of '{folder}' gives ids up to 289, but the model knows 100 (0 to 99): their vocabularies are different ones",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scored_is_refused_in_a_sentence(name, copied):
    prepare, words = REFUSED[name]
    given = prepare(copied)
    with pytest.raises(UserError) as refused:
        open_causal_lm(given)
    assert words.format(folder=copied) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "int8"}, "dtype 'int8' is not known; allowed: float32, bfloat16, float16, float64, auto."),
        ({"device": "nonsense"}, "device 'nonsense' cannot be used"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
        ({"tokenizer": "./nowhere"}, "tokenizer"),
    ],
)
def test_options_that_do_not_exist_are_refused_in_a_sentence(options, words, tiny):
    with pytest.raises(UserError) as refused:
        open_causal_lm(str(tiny), **options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_that_has_no_such_precision_is_refused_in_a_sentence(tmp_path):
    """torch's grouped matrix product of experts has no float64."""
    experts = {"num_local_experts": 2, "num_experts_per_tok": 1, "num_key_value_heads": 2}
    folder = save_tiny(tmp_path / "experts", model_type="mixtral", **SHAPES["llama"], **experts)
    open_causal_lm(str(folder))
    with pytest.raises(
        UserError, match=r"model '.*experts' cannot run in float64 on cpu: Expected mat_a .*; choose another --dtype or --device\.$"
    ):
        open_causal_lm(str(folder), dtype="float64", device="cpu")


def test_a_tokenizer_can_be_named_where_the_model_has_none(copied, tiny):
    _without_tokenizer(copied)
    assert len(open_causal_lm(str(copied), tokenizer=str(tiny)).tokenizer) == VOCAB_SIZE


def test_a_models_own_code_runs_only_where_it_is_trusted(tmp_path, monkeypatch):
    own_modules = keep_own_code_in(tmp_path / "modules", patch=monkeypatch)
    folder = str(save_with_own_code(tmp_path / "own"))
    with pytest.raises(UserError) as refused:
        open_causal_lm(folder)
    assert str(refused.value) == (
        f"model {folder!r} comes with its own code, which runs on your machine; read it, then pass --trust-remote-code if you trust it."
    )
    assert not list(own_modules.rglob("modeling_own.py")), "it was loaded"
    opened = open_causal_lm(folder, trust_remote_code=True)
    assert type(opened.model).__name__ == "OwnForCausalLM"
    assert list(own_modules.rglob("modeling_own.py"))


# Positions


@pytest.mark.parametrize(
    ("model_type", "fields", "expected"),
    [
        ("gpt2", {"n_positions": 24}, 24),
        ("llama", {"max_position_embeddings": 77}, 77),
        ("opt", {"max_position_embeddings": 50}, 50),
        ("bloom", {}, None),
        ("falcon", {"alibi": True, "max_position_embeddings": 64}, None),
        ("falcon", {"alibi": False, "max_position_embeddings": 64}, 64),
        ("mamba", {}, None),
        ("mamba2", {}, None),
        ("rwkv", {"context_length": 64}, 64),  # by its own words the most in a single forward pass
        ("ctxscale_lstm", {}, None),
        ("xlstm", {}, None),
    ],
)
def test_positions_are_limited_by_what_the_config_says(model_type, fields, expected):
    assert max_positions_of(AutoConfig.for_model(model_type, **fields)) == expected


def test_positions_past_the_limit_are_refused_with_the_remedy():
    for context_tokens, num_bos, limit in ((24, 0, 24), (23, 1, 24), (10**6, 1, None)):
        check_positions("m", context_tokens, num_bos=num_bos, max_positions=limit)
    for context_tokens, num_bos, words in (
        (25, 0, "context_tokens=25 exceeds the 24 positions of 'm'; score at most --context 24."),
        (
            24,
            1,
            "context_tokens=24 and 1 BOS token exceeds the 24 positions of 'm'; score at most --context 23, or leave the BOS token out with --bos none.",
        ),
        (26, 1, "context_tokens=26 and 1 BOS token exceeds the 24 positions of 'm'; score at most --context 23."),
        (23, 2, "context_tokens=23 and 2 BOS tokens exceeds the 24 positions of 'm'; score at most --context 22."),
    ):
        with pytest.raises(UserError) as refused:
            check_positions("m", context_tokens, num_bos=num_bos, max_positions=24)
        assert str(refused.value) == words


# BOS


def test_auto_is_what_the_tokenizer_puts_before_a_text(tmp_path):
    adds_one, adds_two, adds_none = (byte_fallback_tokenizer(bos) for bos in (("<s>",), ("<unk>", "<s>"), ()))
    assert [bos_ids_of(adds_one, policy) for policy in ("auto", "none", "always")] == [(1,), (), (1,)]
    assert [bos_ids_of(adds_two, policy) for policy in ("auto", "none", "always")] == [(0, 1), (), (0, 1)]
    assert [bos_ids_of(adds_none, policy) for policy in ("auto", "none", "always")] == [(), (), (1,)]
    byte_level = byte_level_tokenizer(tmp_path)
    assert [bos_ids_of(byte_level, policy) for policy in ("auto", "none", "always")] == [(), (), (0,)]


def test_always_needs_a_bos_token(tmp_path):
    tokenizer = byte_level_tokenizer(tmp_path)
    tokenizer.bos_token = None
    assert bos_ids_of(tokenizer, "auto") == bos_ids_of(tokenizer, "none") == ()
    with pytest.raises(UserError, match=r"has no BOS token to put before every window; use --bos none or --bos auto\.$"):
        bos_ids_of(tokenizer, "always")
