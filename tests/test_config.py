"""Settings: what a config may say, and the sentence that answers every mistake in it."""

import copy
from pathlib import Path
from typing import Any

import pytest

from hf_ctxscale import config
from hf_ctxscale.config import find_config, load_settings, parse_settings, read_yaml
from hf_ctxscale.study import UserError

GOOD_YAML = """
name: demo
corpus:
  name: python-stdlib
tokenizer:
  vocab_size: 1024
context_tokens: 256
sizes:
  - {body_params: 25_000, train_tokens: 2.5e5}
  - {body_params: 2.2e5, train_tokens: 6e6}
families:
  - {architecture: lstm, num_layers: 1, learning_rate: 3e-4}
  - {architecture: gpt2, learning_rate: [1e-2, 5e-3]}
"""
GOOD: dict[str, Any] = {
    "name": "demo",
    "corpus": {"name": "python-stdlib"},
    "tokenizer": {"vocab_size": 1024},
    "context_tokens": 256,
    "sizes": [{"body_params": 25000, "train_tokens": 250000}],
    "families": [{"architecture": "lstm", "learning_rate": 0.003}],
}
MISSING = "REMOVED"


def changed(key: str, value: Any) -> dict[str, Any]:
    """GOOD with one value set; the key is a path such as ``families.0.learning_rate``."""
    settings = copy.deepcopy(GOOD)
    *folders, last = (int(part) if part.isdigit() else part for part in key.split("."))
    inner: Any = settings
    for part in folders:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    if value == MISSING:
        del inner[last]
    else:
        inner[last] = value
    return settings


def refusal(settings: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        parse_settings(settings, source="demo.yaml")
    return str(caught.value)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "demo.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# What is accepted


def test_a_good_config_is_read_with_its_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD_YAML))
    assert (settings.name, settings.corpus.name, settings.tokenizer.vocab_size, settings.context_tokens) == (
        "demo",
        "python-stdlib",
        1024,
        256,
    )
    assert [family.architecture for family in settings.families] == ["lstm", "gpt2"]
    assert settings.seeds == (0,)
    assert settings.training.batch_blocks == 8
    assert settings.workers is None


def test_exponents_are_numbers_not_text(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD_YAML))
    assert [(size.body_params, size.train_tokens) for size in settings.sizes] == [(25000, 250000), (220000, 6000000)]
    assert all(isinstance(size.train_tokens, int) for size in settings.sizes)
    assert settings.families[0].learning_rate == 3e-4
    assert settings.families[1].learning_rate == (1e-2, 5e-3)


def test_1e9_is_a_billion(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD_YAML.replace("train_tokens: 6e6", "train_tokens: 1e9")))
    assert settings.sizes[1].train_tokens == 10**9


def test_a_whole_number_may_stand_where_a_fraction_is_allowed() -> None:
    settings = parse_settings(changed("families.0.learning_rate", 1), source="demo.yaml")
    assert settings.families[0].learning_rate == 1.0
    assert isinstance(settings.families[0].learning_rate, float)


def test_a_local_corpus_is_a_path() -> None:
    settings = parse_settings(changed("corpus", {"path": "../shared/data/books"}), source="demo.yaml")
    assert settings.corpus.path == Path("../shared/data/books")


def test_reading_changes_nothing_of_what_was_given() -> None:
    given = copy.deepcopy(GOOD)
    parse_settings(given, source="demo.yaml")
    assert given == GOOD


# Values of the wrong kind or size: given, allowed, remedy


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("context_tokens", "long", "context_tokens='long' in demo.yaml must be a whole number."),
        ("context_tokens", "256", "context_tokens='256' in demo.yaml must be a whole number, not text; write it without quotes: 256."),
        ("context_tokens", 2.5, "context_tokens=2.5 in demo.yaml must be a whole number."),
        ("context_tokens", True, "context_tokens=true in demo.yaml must be a whole number."),
        ("context_tokens", [256], "context_tokens in demo.yaml is a list, but must be a whole number."),
        ("context_tokens", None, "context_tokens in demo.yaml is empty, but must be a whole number."),
        ("context_tokens", float("inf"), "context_tokens='inf' in demo.yaml must be a whole number."),
        ("context_tokens", 1, "context_tokens=1 in demo.yaml must be at least 2."),
        (
            "sizes.0.train_tokens",
            "6e6",
            "sizes[0].train_tokens='6e6' in demo.yaml must be a whole number, not text; write it without quotes: 6e6.",
        ),
        ("sizes.0.body_params", -25000, "sizes[0].body_params=-25000 in demo.yaml must be greater than 0."),
        ("sizes.0.body_params", 0, "sizes[0].body_params=0 in demo.yaml must be greater than 0."),
        ("sizes.0", 25000, "sizes[0]=25000 in demo.yaml must be a mapping of keys to values."),
        ("sizes", 25000, "sizes=25000 in demo.yaml must be a list."),
        ("sizes", [], "sizes in demo.yaml is empty, but must have at least 1 item."),
        ("sizes", {"body_params": 25000}, "sizes in demo.yaml is a mapping, but must be a list."),
        ("families.0.learning_rate", -0.003, "families[0].learning_rate=-0.003 in demo.yaml must be greater than 0."),
        ("families.0.learning_rate", "high", "families[0].learning_rate='high' in demo.yaml must be a number or a list."),
        ("families.0.learning_rate", True, "families[0].learning_rate=true in demo.yaml must be a number or a list."),
        ("families.0.learning_rate", float("inf"), "families[0].learning_rate='inf' in demo.yaml must be a number or a list."),
        ("families.0.learning_rate", float("nan"), "families[0].learning_rate='nan' in demo.yaml must be a number or a list."),
        ("families.0.learning_rate", {"peak": 1}, "families[0].learning_rate in demo.yaml is a mapping, but must be a number or a list."),
        (
            "families.0.learning_rate",
            "3e-4",
            "families[0].learning_rate='3e-4' in demo.yaml must be a number or a list, not text; write it without quotes: 3e-4.",
        ),
        ("families.0.learning_rate", [-0.003], "families[0].learning_rate[0]=-0.003 in demo.yaml must be greater than 0."),
        ("families.0.learning_rate", [False], "families[0].learning_rate[0]=false in demo.yaml must be a number."),
        ("families.0.dropout", 1.5, "families[0].dropout=1.5 in demo.yaml must be less than 1."),
        ("families", [], "families in demo.yaml is empty, but must have at least 1 item."),
        ("tokenizer.vocab_size", 256, "tokenizer.vocab_size=256 in demo.yaml must be at least 257."),
        ("training.batch_blocks", -8, "training.batch_blocks=-8 in demo.yaml must be greater than 0."),
        ("training", None, "training in demo.yaml is empty, but must be a mapping of keys to values."),
        ("seeds", [True], "seeds[0]=true in demo.yaml must be a whole number."),
        ("workers", "two", "workers='two' in demo.yaml must be a whole number."),
        ("precision", "fp8", "precision='fp8' in demo.yaml must be 'auto', 'float32' or 'bfloat16'."),
        ("corpus.path", 5, "corpus.path=5 in demo.yaml must be text; write it in quotes: '5'."),
        (
            "name",
            "my study",
            "name='my study' in demo.yaml must begin with a letter or digit and hold only letters, digits, '_', '.' and '-'.",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_or_size_is_one_sentence(key: str, value: Any, sentence: str) -> None:
    assert refusal(changed(key, value)) == sentence


def test_a_long_value_is_shortened_in_the_sentence() -> None:
    sentence = refusal(changed("precision", "x" * 10000))
    assert len(sentence) < 200
    assert "..." in sentence


def test_every_mistake_is_listed_one_line_each() -> None:
    settings = changed("sizes.0.body_params", -1)
    settings |= {"context_tokens": "long", "colour": "red"}
    lines = refusal(settings).splitlines()
    assert lines == [
        "context_tokens='long' in demo.yaml must be a whole number.",
        "sizes[0].body_params=-1 in demo.yaml must be greater than 0.",
        "unknown key 'colour' in demo.yaml; allowed: context_tokens, corpus, families, name, precision, scoring, seeds, size_tolerance, "
        "sizes, tokenizer, training, workers.",
    ]


@pytest.mark.parametrize(
    "key", ["context_tokens", "sizes.0.train_tokens", "families.0.learning_rate", "training.weight_decay", "size_tolerance"]
)
@pytest.mark.parametrize("value", [True, False, "8", "6e6", "", [], {}, [[]], None])
def test_only_a_number_passes_for_a_number(key: str, value: Any) -> None:
    assert "demo.yaml" in refusal(changed(key, value))


@pytest.mark.parametrize("value", ["x", 3, -1.5, True, [], {}, [1, "a"], {"a": 1}, float("inf")])
@pytest.mark.parametrize(
    "key", [*GOOD, "sizes.0", "sizes.0.body_params", "families.0", "families.0.learning_rate", "training", "training.dropout", "seeds"]
)
def test_no_sentence_has_the_words_of_a_library_or_two_full_stops(key: str, value: Any) -> None:
    try:
        parse_settings(changed(key, value), source="demo.yaml")
    except UserError as error:
        text = str(error)
        for jargon in ("..", "Input should", "Tuple", "tuple", "constrained", "pydantic", "Value error", "parse string", "\n\n"):
            assert jargon not in text, text
        # One line for each place.
        places = [line.split(" in demo.yaml")[0].split("=")[0] for line in text.splitlines()]
        assert len(set(places)) == len(places), text


# Keys


def test_a_misspelt_key_gets_a_suggestion_and_is_not_called_missing_too() -> None:
    settings = changed("context_tokens", MISSING) | {"contxt_tokens": 256}
    assert refusal(settings) == "unknown key 'contxt_tokens' in demo.yaml; did you mean 'context_tokens'?"


def test_a_misspelt_key_in_a_size_gets_a_suggestion() -> None:
    settings = changed("sizes.0", {"body_parms": 25000, "train_tokens": 250000})
    assert refusal(settings) == "unknown key 'sizes[0].body_parms' in demo.yaml; did you mean 'body_params'?"


def test_a_misspelt_key_in_a_family_gets_a_suggestion() -> None:
    settings = changed("families.0.learnig_rate_trials", [0.001])
    assert refusal(settings) == "unknown key 'families[0].learnig_rate_trials' in demo.yaml; did you mean 'learning_rate_trials'?"


def test_an_unknown_key_without_a_likeness_lists_the_allowed_ones() -> None:
    settings = changed("families.0.width", 64)
    assert refusal(settings) == (
        "unknown key 'families[0].width' in demo.yaml; allowed: architecture, dropout, learning_rate, learning_rate_trials, num_layers."
    )


def test_a_missing_key_is_named() -> None:
    sentence = "key 'context_tokens' is missing in demo.yaml; add it (configs/demo.yaml shows every part)."
    assert refusal(changed("context_tokens", MISSING)) == sentence
    sentence = "key 'sizes[0].train_tokens' is missing in demo.yaml; add it (configs/demo.yaml shows every part)."
    assert refusal(changed("sizes.0.train_tokens", MISSING)) == sentence


def test_a_key_that_is_no_text_is_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^unknown key '5' in demo\.yaml; allowed: context_tokens, "):
        load_settings(write(tmp_path, GOOD_YAML + "5: 1\n"))


# What fits together


def test_an_unknown_architecture_lists_the_known_ones() -> None:
    assert refusal(changed("families.0.architecture", "lstn")) == (
        "families[0].architecture in demo.yaml: unknown architecture 'lstn'; allowed: gpt2, lstm, lstm_residual. "
        "Add an entry to hf_ctxscale/architectures.py for a new one."
    )


def test_fewer_train_tokens_than_one_step_are_refused() -> None:
    assert refusal(changed("sizes.0.train_tokens", 2047)) == (
        "demo.yaml: train_tokens=2047 is less than one step of 2048 tokens (batch_blocks × context_tokens); "
        "raise train_tokens or lower batch_blocks."
    )
    assert parse_settings(changed("sizes.0.train_tokens", 2048), source="demo.yaml").sizes[0].train_tokens == 2048


@pytest.mark.parametrize("rates", [[], [0.001, 0.002]])
def test_a_list_of_learning_rates_has_one_for_each_size(rates: list[float]) -> None:
    assert refusal(changed("families.0.learning_rate", rates)) == (
        f"demo.yaml: family 'lstm' gives {len(rates)} learning rates for 1 sizes; give one number, or one for each size."
    )


@pytest.mark.parametrize(
    "family", [{"architecture": "lstm"}, {"architecture": "lstm", "learning_rate": 0.001, "learning_rate_trials": [0.001]}]
)
def test_a_family_gives_either_a_learning_rate_or_trials(family: dict[str, Any]) -> None:
    assert refusal(changed("families.0", family)) == "families[0] in demo.yaml: give either 'learning_rate' or 'learning_rate_trials'."


@pytest.mark.parametrize("tokenizer", [{}, {"vocab_size": 1024, "path": "tokenizer"}])
def test_a_tokenizer_is_either_trained_or_given(tokenizer: dict[str, Any]) -> None:
    assert refusal(changed("tokenizer", tokenizer)) == (
        "tokenizer in demo.yaml: give either 'vocab_size' (train a tokenizer on the corpus) or 'path' (a tokenizer folder)."
    )


def test_a_corpus_names_something() -> None:
    assert refusal(changed("corpus", {})) == (
        "corpus in demo.yaml: give 'name' (a corpus of hf_ctxscale/corpora.py) or 'path' (a local file or folder)."
    )


def test_held_out_fractions_leave_something_to_train_on() -> None:
    settings = changed("corpus", {"name": "python-stdlib", "validation_fraction": 0.5, "test_fraction": 0.5})
    assert refusal(settings) == (
        "corpus in demo.yaml: validation_fraction and test_fraction leave nothing to train on; their sum must be under 1."
    )


# Files that are no config


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"config '.*nowhere\.yaml' cannot be read: No such file or directory\. Start from configs/demo\.yaml\.$"
    ):
        load_settings(tmp_path / "nowhere.yaml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^config '.*' is a folder; give the YAML file inside it\.$"):
        load_settings(tmp_path)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"^config '.*demo\.yaml' is empty\. Start from configs/demo\.yaml\.$"):
        load_settings(write(tmp_path, text))


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\x00", b"\x00\x01\x02", b"name: \xff\xfe", b"name: a\x00b", b"\x7fELF\x02\x01"])
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(
        UserError, match=r"^config '.*demo\.yaml' is not (a text file in YAML|valid YAML): .*Start from configs/demo\.yaml\.$"
    ):
        load_settings(write(tmp_path, content))


def test_a_file_too_large_for_a_config_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 1000001 bytes; a config has at most 1000000\. Is it the right file\?$"):
        load_settings(write(tmp_path, "#" * 1_000_001))


@pytest.mark.parametrize(("text", "kind"), [("- name: demo\n", "list"), ("demo\n", "str"), ("3\n", "int")])
def test_yaml_that_is_no_mapping_is_refused(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(UserError, match=rf"^config '.*demo\.yaml' holds a {kind}, but a config is a mapping of keys to values\. "):
        load_settings(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: demo\nsizes: [1, 2\nseeds: [0]\n", 3),
        ("name: demo\ncorpus: name: books\n", 2),
        ("name: demo\n\tcontext_tokens: 256\n", 2),
        ("name: demo\ntraining: *missing\n", 2),
    ],
)
def test_invalid_yaml_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"^config '.*demo\.yaml' is not valid YAML: line {line}: .*\. Start from configs/demo\.yaml\.$"):
        load_settings(write(tmp_path, text))


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'is not valid YAML: line \d+: found duplicate key "context_tokens" with value "512"'):
        load_settings(write(tmp_path, GOOD_YAML + "context_tokens: 512\n"))


def test_a_config_that_holds_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^demo\.yaml holds itself through a YAML anchor; write the repeated part out\.$"):
        load_settings(write(tmp_path, "corpus: &again\n  name: *again\n"))


def test_yaml_of_another_kind_than_settings_runs_no_code(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not valid YAML: line 1: could not determine a constructor"):
        load_settings(write(tmp_path, "!!python/object/apply:os.system ['true']\n"))


def test_the_file_is_named_in_the_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD_YAML.replace("context_tokens", "contxt_tokens"))
    with pytest.raises(UserError, match=r"^unknown key 'contxt_tokens' in mine\.yaml; did you mean 'context_tokens'\?$"):
        load_settings(path)


# Finding a config


def test_an_unknown_config_name_lists_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("smoke", "demo"):
        (tmp_path / f"{name}.yaml").write_text(GOOD_YAML)
    monkeypatch.setattr(config, "SHIPPED_CONFIGS", (tmp_path / "absent", tmp_path))
    assert find_config("demo") == tmp_path / "demo.yaml"
    with pytest.raises(UserError, match=r"^there is no config 'dmo'; give a YAML file, or the name of a shipped one: demo, smoke\.$"):
        find_config("dmo")


def test_a_path_goes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text(GOOD_YAML)
    assert find_config("demo") == Path("demo")


def test_every_shipped_config_can_be_found_and_read() -> None:
    names = {file.stem for folder in config.SHIPPED_CONFIGS for file in folder.glob("*.yaml")}
    assert {"smoke", "demo"} <= names
    for name in names:
        assert load_settings(find_config(name)).name


def test_read_yaml_gives_the_mapping_as_written(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, "a: 1e9\nb: yes\nc: [3e-4, 'x']\n")) == {"a": 1e9, "b": "yes", "c": [3e-4, "x"]}
