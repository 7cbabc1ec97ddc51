"""sentences: why a model or tokenizer cannot be opened, in words that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError

from hf_ctxscale.study import UserError

# Of huggingface_hub, whatever file was asked for.
OUT_OF_REACH = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError, LocalEntryNotFoundError, OfflineModeIsEnabled)


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Says in a sentence why the model or tokenizer of that name cannot be opened; the error of the library stays the cause."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever the library raises, and what the network does beneath it
        raise UserError(_sentence(name, error)) from _root(error)


def _sentence(name: str, error: BaseException) -> str:
    root = _root(error)
    reason = first_line(error)
    if isinstance(root, GatedRepoError) or "gated repo" in str(error):
        return f"model {name!r} is gated on the Hugging Face Hub; ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."
    if isinstance(root, RevisionNotFoundError):
        return f"model {name!r} has no such revision on the Hugging Face Hub; give one of its branches, tags or commits ({reason})."
    if isinstance(root, RepositoryNotFoundError):
        return (
            f"there is no model {name!r} on the Hugging Face Hub that you may read, and no folder of that name; check the spelling, or log in with "
            "`hf auth login` where it is private."
        )
    if isinstance(root, HFValidationError):
        return f"there is no folder {name!r}, and no model of the Hugging Face Hub can have that name; check the spelling."
    if isinstance(error, SafetensorError):
        return f"the weights of model {name!r} are damaged or not whole ({reason}); copy or download them again."
    if "trust_remote_code" in str(error):
        return (
            f"model {name!r} comes with its own code, which runs on your machine; read it, then pass --trust-remote-code if you trust it."
        )
    if (
        not isinstance(error, (ValueError, ImportError, RuntimeError, LookupError, AttributeError, TypeError))
        and not Path(name).expanduser().is_dir()
    ):
        return (
            f"model {name!r} is no local folder, and the Hugging Face Hub cannot be reached for it ({reason}); check the network (and HF_HUB_OFFLINE), or "
            "give a folder that model.save_pretrained wrote."
        )
    if "ignore_mismatched_sizes" in str(error):
        return f"the weights of model {name!r} have other shapes than its config.json says; the two are of different models."
    return f"model {name!r} cannot be opened: {reason}"


def _root(error: BaseException) -> BaseException:
    """The error of huggingface_hub behind one of transformers, if there is one; otherwise the error itself."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, (*OUT_OF_REACH, HFValidationError)):
            return found
        found = found.__cause__ or found.__context__
    return error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
