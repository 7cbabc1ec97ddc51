"""in_sentences: what goes wrong with the Hub, said in sentences, without the token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi
from huggingface_hub.errors import DisabledRepoError, GatedRepoError, HfHubHTTPError, HTTPError, RepositoryNotFoundError

from hf_ctxscale.publishing.connection import passing, seconds_asked, trouble
from hf_ctxscale.study import StageError, UserError

REPEAT = "Repeat the same command later: what was uploaded is not uploaded twice, and nothing half done is visible."


@contextmanager
def in_sentences(api: HfApi, *, url: str) -> Iterator[None]:
    """Turns errors of the Hub and of the way to it into sentences.

    Args:
        url: of what is being written.

    Raises:
        UserError: the user can mend it.
        StageError: the Hub, or the way to it, is at fault.
    """
    try:
        yield
    except (UserError, StageError) as error:
        raise type(error)(masked(str(error), token=api.token)) from None
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        # RuntimeError: what hf_xet says of an upload that breaks.
        # `from None`: what the client says of its requests stays out of sight, token and all.
        raise _sentence(error, api=api, url=url) from None


def masked(text: str, *, token: str | bool | None) -> str:
    """Text without the token, and without anything that looks like one."""
    if isinstance(token, str) and token:
        text = text.replace(token, "hf_***")
    text = re.sub(r"\bhf_[A-Za-z0-9]{8,}", "hf_***", text)
    return re.sub(r"(?i)\bbearer\s+[^\s'\"]+", "Bearer ***", text)


def _sentence(error: Exception, *, api: HfApi, url: str) -> Exception:
    detail = masked(_first_words(error), token=api.token)
    if isinstance(error, HfHubHTTPError):
        return _of_status(error, detail=detail, url=url)
    if isinstance(error, HTTPError):
        return StageError(f"{api.endpoint} cannot be reached for {url} ({detail}); is there a network? {REPEAT}")
    return StageError(f"{url} was not written: {detail}.")


def _of_status(error: HfHubHTTPError, *, detail: str, url: str) -> Exception:
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return UserError(f"{url} is gated, and this token's owner has no access yet; ask for it on that page, then repeat the command.")
    if isinstance(error, DisabledRepoError):
        return UserError(f"{url} was disabled on the Hub; publish under another name.")
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"the Hub does not accept this token for {url} ({detail}); log in anew with `hf auth login`, or set HF_TOKEN to a valid one."
        )
    if status == 402:
        return UserError(f"the Hub wants a paid plan for {url} ({detail}); publish it where there is one, or without --public.")
    if status == 403:
        return UserError(
            f"this token may not write to {url} ({detail}); give an owner that is you or an organisation of yours, or a token with the right "
            "to write there (`hf auth whoami` shows who you are)."
        )
    if status in (401, 404):
        return UserError(f"there is no {url}, or this token may not see it ({detail}); check the owner and the name, and `hf auth whoami`.")
    if status == 429:
        asked = seconds_asked(error)
        return StageError(f"the Hub has had too many requests{f' and asks to wait {asked:.0f} s' if asked else ''} ({url}). {REPEAT}")
    if passing(error):
        return StageError(f"the Hub {trouble(error)} again and again for {url} ({detail}). {REPEAT}")
    return StageError(f"the Hub {trouble(error)} for {url}: {detail}.")


def _first_words(error: Exception) -> str:
    """What the Hub says of an error, on one line."""
    said = error.server_message if isinstance(error, HfHubHTTPError) and error.server_message else str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".")
