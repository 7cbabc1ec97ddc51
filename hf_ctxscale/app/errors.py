"""shown: what a visitor is told when an event of the page fails: the sentence of a UserError, and nothing from inside otherwise."""

import functools
import logging
import traceback
from collections.abc import Callable
from html import escape
from typing import ParamSpec, TypeVar

import gradio as gr

from hf_ctxscale.study import UserError

P = ParamSpec("P")
T = TypeVar("T")

BROKEN = "This did not work, and the fault is the app's, not yours. Try it again, or load the page anew."

logger = logging.getLogger(__name__)


def shown(event: Callable[P, T]) -> Callable[P, T]:
    """Wraps the function of an event: UserErrors are shown until they are closed; of others kind and place are logged and a plain sentence is shown."""

    @functools.wraps(event)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return event(*args, **kwargs)
        except gr.Error:
            raise
        except UserError as error:
            # The page shows the message as HTML, and it may quote what was given.
            raise gr.Error(escape(str(error), quote=False), duration=None, print_exception=False) from None
        except Exception as error:
            # A message may quote what a visitor gave, which is not to be kept.
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s failed: %s at %s:%s", event.__qualname__, type(error).__name__, place.filename, place.lineno)
            raise gr.Error(BROKEN, duration=None, print_exception=False) from None

    return wrapped
