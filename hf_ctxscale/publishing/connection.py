"""connect, patiently: the Hub's client with the user's token, and calls that are repeated where the Hub is busy or the connection breaks."""

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from huggingface_hub import HfApi, get_token, is_offline_mode
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError
from huggingface_hub.utils import parse_ratelimit_headers, validate_repo_id

from hf_ctxscale.study import UserError

TRIES = 5
FIRST_WAIT_SECONDS = 1.0  # doubled after every try
LONGEST_WAIT_SECONDS = 301.0  # the Hub counts requests over windows of five minutes; one that asks for more is not waited for
BUSY = frozenset({408, 429, 500, 502, 503, 504})
# The client is httpx or httpx2, by the version of huggingface_hub: both call these the same.
BROKEN = frozenset({"TimeoutException", "NetworkError", "RemoteProtocolError"})

Answer = TypeVar("Answer")
Show = Callable[[str], None]


def connect(endpoint: str | None) -> HfApi:
    """The Hub's client, with the token of `hf auth login` or HF_TOKEN.

    Args:
        endpoint: None: huggingface.co, or what HF_ENDPOINT says.

    Raises:
        UserError: there is no token.
    """
    token = get_token()
    if not token:
        raise UserError(
            "no Hugging Face token was found, and only its owner can write to a repository; log in with `hf auth login`, or set HF_TOKEN "
            "to a token with the right to write (https://huggingface.co/settings/tokens)."
        )
    if is_offline_mode():
        raise UserError("HF_HUB_OFFLINE is set, so nothing can be pushed; unset it and repeat the command. `--dry-run` needs no network.")
    return HfApi(endpoint=endpoint, token=token, library_name="hf-ctxscale")


def check_repo_id(repo_id: str) -> None:
    """Refuses what is no OWNER/NAME.

    Raises:
        UserError: says what is allowed.
    """
    try:
        validate_repo_id(repo_id)
        well_formed = repo_id.count("/") == 1
    except HFValidationError:
        well_formed = False
    if not well_formed:
        raise UserError(
            f"{repo_id!r} is no repository on the Hub; give OWNER/NAME, such as 'you/ctxscale-demo': an owner and a name of letters, digits, "
            "'-', '_' and '.', at most 96 characters each, that neither begin nor end with '-' or '.', without '--', '..' or an ending '.git'."
        )


def patiently(call: Callable[[], Answer], *, show: Show) -> Answer:
    """The call's answer; where the Hub is busy or the connection breaks it is made again, a few times, with growing waits."""
    for wait in waits():
        try:
            return call()
        except (HTTPError, json.JSONDecodeError) as error:
            if wait is None or not passing(error):
                raise
            pause(error, wait=wait, show=show)
    raise AssertionError("the last try returns or raises")


def waits() -> Iterator[float | None]:
    """Seconds to wait after each try that fails; None for the last, after which the error stands."""
    for number in range(TRIES - 1):
        yield FIRST_WAIT_SECONDS * 2**number
    yield None


def pause(error: Exception, *, wait: float, show: Show) -> None:
    """Waits before the next try, as long as the Hub asks for where it asks.

    Raises:
        the error: the Hub asks for longer than anybody waits.
    """
    asked = seconds_asked(error)
    wait = max(wait, asked or 0.0)
    if wait > LONGEST_WAIT_SECONDS:
        raise error
    show(f"the Hub {trouble(error)}; trying again in {math.ceil(wait)} s")
    time.sleep(wait)


def passing(error: Exception) -> bool:
    """Whether the same call may well succeed a little later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in BUSY
    # An answer that is no JSON is one that was cut off, or a proxy's.
    return isinstance(error, json.JSONDecodeError) or bool(BROKEN & {kind.__name__ for kind in type(error).__mro__})


def seconds_asked(error: Exception) -> float | None:
    """How long the Hub asks to wait, if it does."""
    if not isinstance(error, HfHubHTTPError):
        return None
    limit = parse_ratelimit_headers(error.response.headers)
    if limit is not None and limit.remaining == 0 and error.response.status_code == 429:
        return float(limit.reset_in_seconds)
    after = error.response.headers.get("Retry-After", "").strip()
    return float(after) if re.fullmatch(r"\d+", after) else None


def trouble(error: Exception) -> str:
    """``answered 503``, or ``did not answer (ConnectError)``."""
    if isinstance(error, HfHubHTTPError):
        return f"answered {error.response.status_code}"
    return f"did not answer properly ({type(error).__name__})"
