"""open_study: a study folder for these settings, new or continued; the settings of another study are refused."""

import io
import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hf_ctxscale.config import StudySettings, parse_settings, read_yaml
from hf_ctxscale.files import write_text
from hf_ctxscale.study import Study, UserError

# These make a study the same study; sizes, families, seeds and the ablation may be added, and workers changed.
IDENTITY = ("name", "corpus", "tokenizer", "context_tokens", "precision", "training", "scoring", "size_tolerance")


def open_study(settings: StudySettings, *, folder: Path) -> tuple[Study, StudySettings]:
    """Checks that a folder can hold this study, without changing it.

    Returns:
        The study, and the settings with ``precision: auto`` replaced by what the study was begun with.

    Raises:
        UserError: the folder cannot be written, is not a study's, or is another study's.
    """
    study = Study(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {str(folder)!r} is a file; give a folder for the study.")
    ancestor = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise UserError(f"--out {str(folder)!r} cannot be written (no permission on {str(ancestor)!r}); choose another folder.")
    if not study.config_file.exists():
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"--out {str(folder)!r} holds other files and no study.yaml; choose an empty or a new folder.")
        return study, settings
    if not study.begun:
        # An attempt that failed before its first run, on a misspelt path say, does not hold the folder.
        return study, settings
    before = parse_settings(read_yaml(study.config_file), source="study.yaml")
    if settings.precision == "auto":
        settings = settings.model_copy(update={"precision": before.precision})
    for key in IDENTITY:
        old, new = getattr(before, key), getattr(settings, key)
        if key == "scoring":
            old = old.model_copy(update={"ablation": new.ablation})
        if old != new:
            raise UserError(
                f"--out {str(folder)!r} holds another study: {_difference(key, old, new)}. Continue it with its own config, or choose another --out; "
                "only sizes, families, seeds, workers and scoring.ablation can change within a study."
            )
    return study, settings


def save_settings(study: Study, settings: StudySettings) -> None:
    """Writes study.yaml: the settings with every default spelled out."""
    buffer = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(settings.model_dump(mode="json", exclude_none=True), buffer)
    write_text(study.config_file, "# The settings of this study, every default spelled out. Written by hf-ctxscale.\n" + buffer.getvalue())


def _difference(key: str, old: Any, new: Any) -> str:
    """The first setting that differs, as given and as it was."""
    if hasattr(old, "model_dump"):
        old_fields, new_fields = old.model_dump(mode="json"), new.model_dump(mode="json")
        field = next(name for name in old_fields if old_fields[name] != new_fields[name])
        return f"{key}.{field} is {old_fields[field]!r} there and {new_fields[field]!r} in the config"
    return f"{key} is {old!r} there and {new!r} in the config"
