"""ReadAlong: what the Read along tab and its API answer: a text under one listed model or two, as HTML, as a file, and as plain data."""

import base64
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gradio as gr

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.app.limits import RateLimit
from hf_ctxscale.app.read_along_examples import EXAMPLES
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.reporting.token_html import result_sentence, token_fragment
from hf_ctxscale.reporting.token_table import token_csv
from hf_ctxscale.study import UserError

SHORT_CONTEXT_TOKENS, LONGEST_SHORT_CONTEXT_TOKENS = 16, 64
CACHED_READINGS = 64  # of the examples alone: no word of a visitor's is kept


class ReadAlong:
    """Reads texts for visitors, within limits."""

    def __init__(self, models: ReadingModels, *, limits: Limits) -> None:
        """Opens nothing yet.

        Args:
            models: that may be opened.
            limits: of texts and requests.
        """
        self.models = models
        self._limits = limits
        self._rate = RateLimit(limits.readings_per_minute, what="readings")
        self._example = lru_cache(CACHED_READINGS)(self._read_one)

    def longest_short_context(self, names: Sequence[str], *, request: gr.Request | None) -> int:
        """The most tokens that a short context may have under all of some models, which are opened for it; at most what the page offers.

        Raises:
            UserError: a model cannot be opened, or too many were asked for that are not listed.
        """
        if not set(names) <= set(self.models.names):
            self._rate.check(request)
        limits = [limit for name in names if (limit := self.models.load(name)) is not None]
        return min([LONGEST_SHORT_CONTEXT_TOKENS, *limits])

    def read(
        self, text: str, first: str, second: str, *, short_context_tokens: int, request: gr.Request | None
    ) -> tuple[TokenByToken, ...]:
        """The text under one model, or under two.

        Args:
            text: as it was typed.
            first: name of a model.
            second: of another; empty: none.
            short_context_tokens: k.
            request: of whoever asks.

        Raises:
            UserError: a limit is exceeded, or a model cannot be opened.
        """
        if not all(isinstance(word, str) for word in (text, first, second)):
            raise UserError("text and models are given as text; write each in quotes.")
        if isinstance(short_context_tokens, bool) or not isinstance(short_context_tokens, (int, float)) or short_context_tokens % 1:
            raise UserError(f"a short context of {short_context_tokens!r} tokens was given; give a whole number.")
        names = [name for name in dict.fromkeys((first, second)) if name]
        if not names:
            raise UserError("no model was chosen; choose one or two.")
        example = text in EXAMPLES.values() and set(names) <= set(self.models.names)
        if not example:
            self._rate.check(request)
        read = self._example if example else self._read_one
        return tuple(read(name, text, int(short_context_tokens)) for name in names)

    def _read_one(self, name: str, text: str, short_context_tokens: int) -> TokenByToken:
        return self.models.read(name, text, short_context_tokens=short_context_tokens)


def reading_html(readings: Sequence[TokenByToken]) -> str:
    """The coloured text, with its sentences, legends and tables; everything in it is escaped."""
    return f'<section aria-label="The text, token by token">{token_fragment(readings)}</section>'


def reading_file(readings: Sequence[TokenByToken]) -> dict[str, str]:
    """The numbers of every token as a CSV file: name, type, and content in base64.

    Raises:
        UserError: nothing was read yet.
    """
    if not readings:
        raise UserError("There is nothing to save yet; read a text first.")
    return {"name": "read-along.csv", "type": "text/csv", "base64": base64.b64encode(token_csv(readings).encode()).decode()}


def reading_data(readings: Sequence[TokenByToken]) -> dict[str, Any]:
    """The same as plain data for the API, a model after the other; a token that is not predicted has no losses."""
    return {
        "models": [
            {
                "model": reading.model,
                "sentence": result_sentence(reading),
                "short_context_tokens": reading.short_context_tokens,
                "tokens": [
                    {"text": piece, "full_context_tokens": context, "loss_full_nats": full, "loss_short_nats": short}
                    for piece, context, full, short in zip(
                        reading.pieces,
                        reading.full_context_tokens.tolist(),
                        _numbers(reading.loss_full_nats.tolist()),
                        _numbers(reading.loss_short_nats.tolist()),
                        strict=True,
                    )
                ],
            }
            for reading in readings
        ]
    }


def _numbers(values: list[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
