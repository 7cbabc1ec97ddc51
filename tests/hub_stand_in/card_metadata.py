"""The metadata on top of a repository's README.md: reading it, and the rules for it that are known.

Only rules that the Hub documents (hub/spaces-config-reference, hub/model-cards, hub/datasets-cards); the Hub checks more.
"""

import re
from dataclasses import dataclass, field

from ruamel.yaml import YAML, YAMLError

HEADER = re.compile(r"\A\s*---\r?\n(.*?)\r?\n---", re.DOTALL)
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SDKS = ("gradio", "docker", "static")
SHORT_DESCRIPTION_CHARACTERS = 60


@dataclass
class Findings:
    """Errors and warnings in the form of the Hub's answer."""

    errors: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)


def read_metadata(text: str) -> dict:
    """The metadata of a card; empty where there is none.

    Raises:
        YAMLError: it is no YAML.
    """
    header = HEADER.match(text)
    found = YAML(typ="safe", pure=True).load(header.group(1)) if header else None
    return found if isinstance(found, dict) else {}


def metadata_findings(text: str, *, kind: str) -> Findings:
    """What is wrong with a card; ``kind`` is model, dataset or space."""
    try:
        metadata = read_metadata(text)
    except YAMLError as error:
        return Findings(errors=[{"message": f"YAML Metadata Error: {error}"}])
    if not metadata:
        said = "empty or missing yaml metadata in repo card"
        return Findings(errors=[{"message": said}]) if kind == "space" else Findings(warnings=[{"message": said}])
    wrong = [*_wrong_in_any(metadata), *(_wrong_in_space(metadata) if kind == "space" else [])]
    return Findings(errors=[{"message": message} for message in wrong])


def _wrong_in_any(metadata: dict) -> list[str]:
    lists = [name for name in ("tags", "datasets", "models", "configs") if not isinstance(metadata.get(name, []), list | str)]
    wrong = [f'"{name}" must be an array' for name in lists]
    wrong += [
        f'"configs[{number}].config_name" is required'
        for number, entry in enumerate(metadata.get("configs") or [])
        if "config_name" not in entry
    ]
    for entry in metadata.get("model-index") or []:
        wrong += [f'"model-index.{name}" is required' for name in ("name", "results") if name not in entry]
        for result in entry.get("results", []):
            wrong += [f'"model-index.results.{name}" is required' for name in ("task", "dataset", "metrics") if name not in result]
    return wrong


def _wrong_in_space(metadata: dict) -> list[str]:
    wrong = [] if metadata.get("sdk") in SDKS else [f'"sdk" must be one of [{", ".join(SDKS)}]']
    wrong += [
        f'"{name}" must be one of [{", ".join(COLOURS)}]'
        for name in ("colorFrom", "colorTo")
        if metadata.get(name, COLOURS[0]) not in COLOURS
    ]
    if len(str(metadata.get("short_description", ""))) > SHORT_DESCRIPTION_CHARACTERS:
        wrong.append(f'"short_description" length must be less than or equal to {SHORT_DESCRIPTION_CHARACTERS} characters long')
    return wrong
