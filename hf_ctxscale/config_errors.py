"""sentences: pydantic's findings on a config as sentences of given, allowed and remedy."""

import difflib
import json
import math
import reprlib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel


def sentences(errors: Sequence[Any], *, model: type[BaseModel], source: str) -> list[str]:
    """Pydantic's findings, one sentence for each place that is wrong; what only follows from another mistake is left out.

    Args:
        errors: what ``ValidationError.errors()`` gave.
        model: the settings that were checked.
        source: the file's name.
    """
    findings: dict[tuple[Any, ...], list[Any]] = {}
    for error in errors:
        findings.setdefault(_place(error, model=model), []).append(error)
    # Pydantic also calls a list too short whose only item is wrong, and a union complains of the list as well as of its item.
    follow_on = {place[:length] for place in findings for length in range(len(place))}
    # A misspelt key leaves the right one missing.
    follow_on |= {(*place[:-1], _nearest(place, model=model)) for place, found in findings.items() if found[0]["type"] == "extra_forbidden"}
    return [_sentence(place, found, model=model, source=source) for place, found in findings.items() if place not in follow_on]


# What a value must do, by pydantic's type of error.
_MUSTS = {
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "string_type": "be text",
    "tuple_type": "be a list",
    "model_type": "be a mapping of keys to values",
    "too_short": "have at least {min_length} item",
    "greater_than": "be greater than {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "less_than": "be less than {lt:g}",
    "literal_error": "be {expected}",
    # The one pattern here is that of `name`.
    "string_pattern_mismatch": "begin with a letter or digit and hold only letters, digits, '_', '.' and '-'",
}


def _sentence(place: tuple[Any, ...], errors: list[Any], *, model: type[BaseModel], source: str) -> str:
    """What is wrong at one place, as a sentence of given, allowed and remedy."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    error, given = errors[0], errors[0]["input"]
    if error["type"] == "extra_forbidden":
        near = _nearest(place, model=model)
        hint = f"did you mean {near!r}?" if near else f"allowed: {', '.join(_keys_at(place[:-1], model=model))}."
        return f"unknown key {where!r} in {source}; {hint}"
    if error["type"] == "missing":
        return f"key {where!r} is missing in {source}; add it (configs/demo.yaml shows every part)."
    if error["type"] == "value_error":
        message = str(error["ctx"]["error"]).rstrip(".")
        return f"{where} in {source}: {message}." if where else f"{source}: {message}."

    # A value that is of one of a union's kinds, but out of bounds, needs not be told of the other kinds.
    errors = [item for item in errors if not item["type"].endswith("_type")] or errors
    musts = [_MUSTS[item["type"]].format(**item.get("ctx", {})) if item["type"] in _MUSTS else item["msg"] for item in errors]
    must = " or ".join(dict.fromkeys(musts)).replace(" or be ", " or ")
    if isinstance(given, str) and error["type"] in ("int_type", "float_type") and _reads_as_number(given):
        must += f", not text; write it without quotes: {given}"
    if isinstance(given, (int, float)) and error["type"] == "string_type":
        must += f"; write it in quotes: '{json.dumps(given)}'"
    if given is None or given == []:
        return f"{where} in {source} is empty, but must {must}."
    if isinstance(given, (dict, list)):
        return f"{where} in {source} is a {'mapping' if isinstance(given, dict) else 'list'}, but must {must}."
    # JSON's spelling of a truth value is YAML's too.
    shown = json.dumps(given) if isinstance(given, (bool, int, float)) else reprlib.repr(given)
    return f"{where}={shown} in {source} must {must}."


def _reads_as_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _place(error: Any, *, model: type[BaseModel]) -> tuple[Any, ...]:
    """Where a finding is, without pydantic's names for the kinds of a union, such as 'constrained-float'."""
    place: tuple[Any, ...] = ()
    for part in error["loc"]:
        if isinstance(part, int) or part in _keys_at(place, model=model):
            place = (*place, part)
    return (*place, error["loc"][-1]) if error["type"] == "extra_forbidden" else place


def _nearest(place: tuple[Any, ...], *, model: type[BaseModel]) -> str | None:
    """The allowed key that an unknown one was probably meant to be."""
    return next(iter(difflib.get_close_matches(place[-1], _keys_at(place[:-1], model=model), n=1)), None)


def _keys_at(location: tuple[Any, ...], *, model: type[BaseModel]) -> list[str]:
    """The keys allowed at a place of the config, such as ("families", 0)."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            candidates = [model.model_fields[part].annotation]
            while candidates:
                kind = candidates.pop()
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    model = kind
                    break
                candidates.extend(getattr(kind, "__args__", ()))
    return sorted(model.model_fields)
