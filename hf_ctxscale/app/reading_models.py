"""ReadingModels: the models that Read along may open, by name; torch is loaded with the first of them, and few are kept."""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_ctxscale.analysis.text_losses import TokenByToken
from hf_ctxscale.app.opened_models import fetch_and_open, open_listed
from hf_ctxscale.app.settings import Limits
from hf_ctxscale.architectures import TABLE
from hf_ctxscale.study import UserError

if TYPE_CHECKING:
    from hf_ctxscale.scoring.open_model import OpenedModel

KEPT_MODELS = 4  # both sides of a comparison, and the two before


class ReadingModels:
    """Opens models by name and reads texts with them, one text at a time.

    A visitor's word is only ever the name of a listed model or, where the owner allows any, an id of the Hub: never a path. Code that comes
    with a model is not run.
    """

    def __init__(self, listed: Mapping[str, Path | str], *, any_model: bool = False, limits: Limits | None = None) -> None:
        """Opens nothing.

        Args:
            listed: the name that visitors see -> a folder, or an id of the Hub.
            any_model: whether visitors may name any model of the Hub.
            limits: how long texts, and how large models that are not listed may be.
        """
        self._listed = dict(listed)
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, OpenedModel] = OrderedDict()
        self.any_model = any_model

    @property
    def names(self) -> tuple[str, ...]:
        """Of the listed models."""
        return tuple(self._listed)

    def first_pair(self) -> tuple[str, ...]:
        """What is shown first: the largest recurrent model and the largest other; fewer where fewer are listed."""
        recurrent_types = {architecture.model_type for architecture in TABLE.values() if not architecture.attention}
        ordered = sorted(self._listed, key=lambda name: _size_bytes(self._listed[name]), reverse=True)
        recurrent = [name for name in ordered if _model_type(self._listed[name]) in recurrent_types]
        others = [name for name in ordered if name not in recurrent]
        return (*recurrent[:1], *others[:1]) if recurrent and others else tuple(ordered[:2])

    def load(self, name: str) -> int | None:
        """Opens a model, unless it is open; the longest short context that it can be given, None where it has no limit.

        Raises:
            UserError: visitors may not open it, or it cannot be opened.
        """
        from hf_ctxscale.scoring.open_model import bos_ids_of

        with self._lock:
            opened = self._opened(name)
            # A full context slides in steps of half its length (scoring/token_by_token.py).
            num_bos = len(bos_ids_of(opened.tokenizer, "auto"))
        return None if opened.max_positions is None else max(1, (opened.max_positions - num_bos) // 2)

    def read(self, name: str, text: str, *, short_context_tokens: int) -> TokenByToken:
        """A text under a model, token by token.

        Raises:
            UserError: the model cannot be opened, the text is too long or too short for it, or reading takes too long.
        """
        if len(text) > self._limits.text_characters:
            raise UserError(f"the text has {len(text):,} characters; at most {self._limits.text_characters:,} are read here: shorten it.")
        with self._lock:
            from hf_ctxscale.scoring.token_by_token import score_text

            opened = self._opened(name)
            self._check_tokens(opened, name, text)
            deadline = _Deadline(self._limits.reading_seconds)
            reading = score_text(opened, text, short_context_tokens=short_context_tokens, show=deadline.check)
        return replace(reading, model=name)

    def _check_tokens(self, opened: "OpenedModel", name: str, text: str) -> None:
        num_tokens = len(opened.tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"])
        if num_tokens > self._limits.text_tokens:
            raise UserError(
                f"the text is {num_tokens:,} tokens long for {name}; at most {self._limits.text_tokens:,} are read here: shorten it."
            )

    def _opened(self, name: str) -> "OpenedModel":
        """The model, opened if it is not yet; the one that was used longest ago makes room."""
        if name not in self._kept:
            self._check_allowed(name)
            where = self._listed.get(name)
            self._kept[name] = (
                fetch_and_open(name, megabytes=self._limits.model_megabytes) if where is None else open_listed(where, name=name)
            )
            while len(self._kept) > KEPT_MODELS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]

    def _check_allowed(self, name: str) -> None:
        if name in self._listed or self.any_model:
            return
        known = ", ".join(self._listed) or "none"
        raise UserError(f"{name!r} is not among the models that can be read here: {known}. Choose one of them.")


class _Deadline:
    """Ends a reading that takes too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self, done: int, total: int) -> None:
        """Called after each batch of tokens."""
        if done < total and time.monotonic() > self._end:
            raise UserError(
                f"reading took longer than {self._seconds:g} seconds; give a shorter text, a shorter short context or a smaller model."
            )


def _model_type(where: Path | str) -> str | None:
    """What a folder's config says; None for a model of the Hub, which is not asked for it."""
    if isinstance(where, str):
        return None
    try:
        return str(json.loads((where / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size_bytes(where: Path | str) -> int:
    """Of a folder's weights; 0 for a model of the Hub."""
    return 0 if isinstance(where, str) else sum(path.stat().st_size for path in where.glob("*.safetensors"))
