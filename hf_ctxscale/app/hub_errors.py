"""hub_sentences: why something of the Hub cannot be read, in a sentence for a visitor, who cannot log in here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hf_ctxscale.study import UserError


@contextmanager
def hub_sentences(repo_id: str, *, kind: Literal["model", "dataset"]) -> Iterator[None]:
    """Turns errors of huggingface_hub into a UserError without addresses, headers or tokens."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever the library raises, and what the network does beneath it
        raise UserError(_sentence(repo_id, kind, error)) from error


def _sentence(repo_id: str, kind: str, error: BaseException) -> str:
    what = f"{kind} {repo_id!r}"
    if isinstance(error, HFValidationError):
        return f"{repo_id!r} is no id of the Hugging Face Hub; write it as OWNER/NAME."
    if isinstance(error, GatedRepoError):
        return (
            f"{what} is gated: its owner lets in those who have asked, and this page does not log in. Choose one that everybody may read."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{what} has no such revision; give one of its branches, tags or commits, or leave it empty."
    if isinstance(error, RepositoryNotFoundError):
        return f"there is no {what} on the Hugging Face Hub that everybody may read; check the spelling (private ones are not read here)."
    if isinstance(error, HfHubHTTPError) and error.response is not None and error.response.status_code == 429:
        return f"the Hugging Face Hub has had too many requests from here, so {what} was not read; try again in some minutes."
    return f"the Hugging Face Hub cannot be reached for {what}; try again later."
