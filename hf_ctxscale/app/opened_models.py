"""open_listed, fetch_and_open: a model for Read along, from a folder or the Hub: safetensors alone, and never code that comes with a model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, snapshot_download

from hf_ctxscale.app.hub_errors import hub_sentences
from hf_ctxscale.app.received import own_prefix
from hf_ctxscale.study import UserError

if TYPE_CHECKING:
    from hf_ctxscale.scoring.open_model import OpenedModel

# Weights that are data and nothing else, and what configs and tokenizers are made of.
FETCHED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
LEFT_OUT = "adapter_config.json"  # makes transformers open another model
MOST_LAYERS = 1_000
LEAST_BYTES = 2  # of a weight


def open_listed(where: Path | str, *, name: str) -> "OpenedModel":
    """A model that the owner has listed.

    Args:
        where: a folder, or an id of the Hub, which is then kept in the Hub's cache.
        name: that visitors see.

    Raises:
        UserError: it cannot be opened.
    """
    if isinstance(where, Path):
        return _open(where, name=name)
    with hub_sentences(where, kind="model"):
        folder = snapshot_download(where, allow_patterns=[*FETCHED], ignore_patterns=LEFT_OUT)
    return _open(Path(folder), name=name)


def fetch_and_open(name: str, *, megabytes: int) -> "OpenedModel":
    """A model of the Hub that a visitor has named. Nothing of it stays on the disk, and no login of the owner's is used.

    Args:
        name: an id of the Hub; a folder of that name is not looked at.
        megabytes: of its files at most.

    Raises:
        UserError: there is no such model that everybody may read, it is too large, or it cannot be opened.
    """
    with hub_sentences(name, kind="model"):
        info = HfApi(token=False).model_info(name, files_metadata=True)
    wanted = [
        file
        for file in info.siblings or ()
        if file.rfilename != LEFT_OUT and any(PurePosixPath("/", file.rfilename).match(f"/{pattern}") for pattern in FETCHED)
    ]
    if not any(file.rfilename.endswith(".safetensors") for file in wanted):
        raise UserError(
            f"model {name!r} has no weights in the safetensors format; other formats are not opened here. Choose another model."
        )
    if any(file.size is None for file in wanted):
        raise UserError(f"the Hub does not say how large model {name!r} is, so it is not fetched; choose another model.")
    total = sum(file.size or 0 for file in wanted) / 1e6
    if total > megabytes:
        raise UserError(f"model {name!r} has {total:,.0f} MB of files; at most {megabytes:,} MB are loaded here: choose a smaller model.")
    with TemporaryDirectory(prefix=own_prefix()) as folder:
        with hub_sentences(name, kind="model"):
            snapshot_download(name, revision=info.sha, token=False, local_dir=folder, allow_patterns=[file.rfilename for file in wanted])
        _check_no_code(Path(folder), name=name)
        _check_shape(Path(folder), name=name, megabytes=megabytes)
        return _open(Path(folder), name=name)


def _check_shape(folder: Path, *, name: str, megabytes: int) -> None:
    """Refuses a config that asks for more memory than its files could fill; nothing is allocated for that."""
    from hf_ctxscale.scoring.open_model import open_config
    from hf_ctxscale.sizing.parameters import count_config

    with _naming(folder, name=name):
        config = open_config(str(folder))
    layers = getattr(config.get_text_config(decoder=True), "num_hidden_layers", 0)
    if not isinstance(layers, int) or layers > MOST_LAYERS or count_config(config).groups.total * LEAST_BYTES > megabytes * 1e6:
        raise UserError(
            f"model {name!r} is larger than its files: its config names more parameters than {megabytes:,} MB hold. Choose another model."
        )


@contextmanager
def _naming(folder: Path, *, name: str) -> Iterator[None]:
    """Messages speak of a model by its name, not by a path of this machine."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(folder), name)) from error


def _open(folder: Path, *, name: str) -> "OpenedModel":
    """The model in a folder."""
    from hf_ctxscale.scoring.open_model import open_causal_lm

    _check_no_code(folder, name=name)
    with _naming(folder, name=name):
        opened = open_causal_lm(str(folder), trust_remote_code=False, device="cpu")
    # What it is called in sentences: a folder's path is nobody's business.
    return replace(opened, name=name)


def _check_no_code(folder: Path, *, name: str) -> None:
    """Refuses a model that would need code of its own; the package's own LSTM brings it, and is known without."""
    from transformers import CONFIG_MAPPING

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # open_causal_lm says what is wrong
    if isinstance(config, dict) and "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING:
        raise UserError(f"model {name!r} comes with code of its own, which is never run here; choose a model that transformers knows.")
