"""model_files: what a trained model's folder gives its repository: weights, config, tokenizer, and the code of a model of our own."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hf_ctxscale.architectures import TABLE
from hf_ctxscale.study import UserError

# What from_pretrained reads. Anything else that lies in the folder stays where it is: pickles, notes, a card of somebody else's.
PUBLISHED = ("*.safetensors", "*.json", "*.jinja", "*.py", "merges.txt", "vocab.txt", "*.model")
WEIGHTS = "*.safetensors"
CONFIG = "config.json"
OWN_TYPE = TABLE["lstm"].model_type  # the one that transformers does not have: its code travels with it


def model_files(folder: Path) -> dict[str, Path | bytes]:
    """Name -> file; a model of our own that was saved without its code gets that of this package.

    Raises:
        UserError: the folder is missing, or holds no config or no safetensors.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{str(folder)!r} holds no model ({CONFIG} is missing); name a run of a study that was trained here: a condensed one has no models."
        )
    files: dict[str, Path | bytes] = {path.name: path for path in sorted(folder.iterdir()) if _is_published(path)}
    if not any(fnmatch(name, WEIGHTS) for name in files):
        raise UserError(f"{str(folder)!r} holds no weights as safetensors; save the model with `save_pretrained` of transformers.")
    config = read_config(folder)
    if config.get("model_type") == OWN_TYPE and not _has_code(config, files):
        own_code, auto_map = _code_of_this_package()
        files |= own_code
        files[CONFIG] = (json.dumps(config | {"auto_map": auto_map}, indent=2, sort_keys=True) + "\n").encode()
    return files


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        UserError: it is no JSON object.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); train the run again, or restore the file.") from None
    if not isinstance(config, dict):
        raise UserError(f"{path} holds a {type(config).__name__}, not an object; train the run again, or restore the file.")
    return config


def needs_code(files: Mapping[str, Path | bytes]) -> bool:
    """Whether loading the model without this package runs code from its repository."""
    return any(name.endswith(".py") for name in files)


def _is_published(path: Path) -> bool:
    # A link would publish a file that lies somewhere else.
    return (
        path.is_file()
        and not path.is_symlink()
        and not path.name.startswith(".")
        and any(fnmatch(path.name, pattern) for pattern in PUBLISHED)
    )


def _has_code(config: Mapping[str, Any], files: Iterable[str]) -> bool:
    modules = {str(name).split(".")[0] for name in (config.get("auto_map") or {}).values()}
    return bool(modules) and {f"{module}.py" for module in modules} <= set(files)


def _code_of_this_package() -> tuple[dict[str, Path | bytes], dict[str, str]]:
    """The files that a saved model of this version carries, and the auto_map of its config."""
    from hf_ctxscale.models import LSTMConfig, LSTMForCausalLM

    with tempfile.TemporaryDirectory() as saved:
        LSTMForCausalLM(LSTMConfig(vocab_size=1, hidden_size=1)).save_pretrained(saved)
        code: dict[str, Path | bytes] = {path.name: path.read_bytes() for path in sorted(Path(saved).glob("*.py"))}
        return code, read_config(Path(saved))["auto_map"]
