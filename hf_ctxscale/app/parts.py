"""TabParts: what the page needs to know of one of its tabs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradio.blocks import Block
from gradio.components import Component


@dataclass(frozen=True)
class TabParts:
    """What fills a tab when it is first shown, and again whenever another study is opened.

    Attributes:
        refresh: called as ``refresh(key, screen, *values of inputs)``; gives a tuple with a value or an update for each of the outputs, and
            keeps the visitor's choices where the study still has them.
        inputs: components whose values it reads.
        outputs: components that it fills.
    """

    refresh: Callable[..., tuple[Any, ...]]
    inputs: tuple[Component, ...]
    outputs: tuple[Block, ...]
