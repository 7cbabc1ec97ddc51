"""ViewControls: the components by which a visitor chooses a view, and the way between their values and a View."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from hf_ctxscale.app.view import ALSO, LOG
from hf_ctxscale.architectures import family_label
from hf_ctxscale.charts.chosen_view import View, ViewChoices
from hf_ctxscale.reporting.numbers import counted

X_LABELS = {
    "Body parameters": "body_params",
    "Total parameters": "total_params",
    "Training FLOPs": "train_flops",
    "Training seconds": "train_seconds",
}
UNIT_LABELS = {"Nats per token": "nats", "Bits per byte": "bits_per_byte"}
LOG_LABELS = {"Size": "size", "Loss by size": "loss-by-size", "Position": "position", "Loss by position": "loss-by-position"}
ALSO_LABELS = {"Fitted laws": "fits", "Intervals": "intervals", "The paper's approximate values": "paper"}
SEVERAL = ("families", "depths", "sizes", "seeds")


class ViewControls:
    """The components, made where it is called.

    Attributes:
        components: in the order of the values that `view_of` takes.
        inputs: the events of a visitor who changes one.
    """

    components: tuple[Component, ...]
    inputs: tuple[Any, ...]

    def __init__(self, choices: ViewChoices):
        """Makes the components for a study with these choices, with all of them chosen."""
        plain, options = View(), _options(choices)
        with gr.Row():
            x = gr.Radio(list(X_LABELS.items()), value=plain.x, label="Loss against", elem_id="view-x")
            unit = gr.Radio(list(UNIT_LABELS.items()), value=plain.unit, label="Loss in", elem_id="view-unit")
        with gr.Row():
            log = gr.CheckboxGroup(list(LOG_LABELS.items()), value=_words(LOG, plain), label="Logarithmic axes", elem_id="view-log")
            also = gr.CheckboxGroup(list(ALSO_LABELS.items()), value=_words(ALSO, plain), label="Drawn too", elem_id="view-with")
        with gr.Row():
            several = [
                gr.CheckboxGroup(options[name], value=list(getattr(choices, name)), label=name.capitalize(), elem_id=f"view-{name}")
                for name in SEVERAL
            ]
        made: tuple[Any, ...] = (x, unit, log, also, *several)
        self.components = made
        self.inputs = tuple(component.input for component in made)


def control_updates(view: View, choices: ViewChoices) -> tuple[Any, ...]:
    """What sets every component to a view of a study."""
    options = _options(choices)
    chosen = {name: getattr(choices, name) if getattr(view, name) is None else getattr(view, name) for name in SEVERAL}
    groups = [gr.CheckboxGroup(choices=options[name], value=list(chosen[name])) for name in SEVERAL]
    return view.x, view.unit, _words(LOG, view), _words(ALSO, view), *groups


def _options(choices: ViewChoices) -> dict[str, list[tuple[str, Any]]]:
    """What each group offers: what it is called, and its value."""
    return {
        "families": [(family_label(name), name) for name in choices.families],
        "depths": [(counted(number, "layer"), number) for number in choices.depths],
        "sizes": [(size, size) for size in choices.sizes],
        "seeds": [(str(seed), seed) for seed in choices.seeds],
    }


def view_of(values: Sequence[Any], choices: ViewChoices) -> View:
    """The view that the components' values say, of what the study can be chosen by; all of something chosen is None."""
    x, unit, log, also, *several = values
    flags: dict[str, Any] = {name: word in log for word, name in LOG.items()} | {name: word in also for word, name in ALSO.items()}
    chosen: dict[str, Any] = {}
    for name, wanted in zip(SEVERAL, several, strict=True):
        every = getattr(choices, name)
        kept = tuple(one for one in every if one in (wanted or ()))
        chosen[name] = None if kept == every else kept
    return View(x=x, unit=unit, **flags, **chosen)


def _words(words: dict[str, str], view: View) -> list[str]:
    return [word for word, name in words.items() if getattr(view, name)]
