"""The table of architectures: every entry complete and accepted by its config class; light imports stay light."""

import json
import re
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from hf_ctxscale.architectures import TABLE, Architecture, Shape, find_architecture
from hf_ctxscale.study import UserError

VOCAB_SIZE, CONTEXT_TOKENS, DROPOUT = 300, 32, 0.125

every_architecture = pytest.mark.parametrize("name", sorted(TABLE))


def plain_shape_of(entry: Architecture) -> Shape:
    """A small shape that the architecture can have, with its second width at the default."""
    return Shape(max(entry.min_layers, 3), 48, num_heads=4 if entry.has_heads else None)


def shape_of(entry: Architecture) -> Shape:
    """The same with its second width away from the default."""
    return replace(plain_shape_of(entry), **{entry.fine_size: 40})


@every_architecture
def test_every_entry_is_complete(name: str) -> None:
    entry = TABLE[name]
    assert re.fullmatch(r"[a-z0-9_-]+", name), "a name becomes part of run ids"
    assert entry.model_type
    assert entry.label
    assert len(entry.colours) >= 3
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in entry.colours)
    assert entry.min_layers >= 1
    assert entry.formula_body_params(shape_of(entry)) > 0
    assert entry.fine_size in {field.name for field in fields(Shape)}


@every_architecture
def test_colours_go_from_light_to_dark(name: str) -> None:
    def luminance(colour: str) -> float:
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    values = [luminance(colour) for colour in TABLE[name].colours]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 60, "readable in greyscale"


def test_no_two_architectures_share_a_config_a_label_or_a_colour() -> None:
    for values in (
        [repr((entry.model_type, entry.config_fields(shape_of(entry), VOCAB_SIZE, CONTEXT_TOKENS, DROPOUT))) for entry in TABLE.values()],
        [entry.label for entry in TABLE.values()],
        [colour for entry in TABLE.values() for colour in entry.colours],
    ):
        assert len(set(values)) == len(values)


def test_formulas_are_those_of_the_paper() -> None:
    assert TABLE["gpt2"].formula_body_params(Shape(num_layers=12, hidden_size=768, num_heads=12)) == 12 * 12 * 768**2
    assert TABLE["lstm"].formula_body_params(Shape(num_layers=2, hidden_size=100)) == 2 * (8 * 100**2 + 8 * 100)


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        find_architecture("lstn")
    assert str(caught.value) == (
        "unknown architecture 'lstn'; allowed: gpt2, lstm, lstm_residual. Add an entry to hf_ctxscale/architectures.py for a new one."
    )
    assert find_architecture("lstm") is TABLE["lstm"]


@every_architecture
def test_config_fields_are_accepted_and_kept_by_the_config_class(name: str) -> None:
    from transformers import AutoConfig

    import hf_ctxscale.models  # noqa: F401  (registers the package's own)

    entry = TABLE[name]
    shape = shape_of(entry)
    given = entry.config_fields(shape, VOCAB_SIZE, CONTEXT_TOKENS, DROPOUT)
    stock = AutoConfig.for_model(entry.model_type)
    config = AutoConfig.for_model(entry.model_type, **given)
    for field, value in given.items():
        # A misspelt field would become an attribute that nothing reads.
        assert hasattr(stock, field), f"{field} is no field of {type(stock).__name__}"
        assert getattr(config, field) == value
    assert (config.hidden_size, config.num_hidden_layers, config.vocab_size) == (shape.hidden_size, shape.num_layers, VOCAB_SIZE)
    if entry.has_heads:
        assert config.num_attention_heads == shape.num_heads
    assert getattr(shape, entry.fine_size) in given.values()
    assert DROPOUT in given.values()


@every_architecture
def test_widths_left_at_their_default_are_accepted(name: str) -> None:
    from transformers import AutoConfig

    import hf_ctxscale.models  # noqa: F401

    entry = TABLE[name]
    shape = plain_shape_of(entry)
    config = AutoConfig.for_model(entry.model_type, **entry.config_fields(shape, VOCAB_SIZE, CONTEXT_TOKENS, 0.0))
    assert config.hidden_size == shape.hidden_size


@every_architecture
def test_a_context_of_t_tokens_needs_no_more_than_t_positions(name: str) -> None:
    given = TABLE[name].config_fields(shape_of(TABLE[name]), VOCAB_SIZE, CONTEXT_TOKENS, DROPOUT)
    assert given.get("n_positions", CONTEXT_TOKENS) == CONTEXT_TOKENS


def test_light_imports_stay_light() -> None:
    heavy = ["torch", "transformers", "datasets", "evaluate", "tokenizers", "matplotlib", "pandas", "scipy", "typer"]
    code = f"""
import json, sys
import hf_ctxscale, hf_ctxscale.study, hf_ctxscale.architectures, hf_ctxscale.config
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
