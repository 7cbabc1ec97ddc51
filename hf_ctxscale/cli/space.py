"""`hf-ctxscale space [STUDY]`: the Space's app on a laptop, on a study of one's own or on the shipped reference; torch is loaded when a text is read."""

from pathlib import Path
from typing import Annotated

import typer

Given = Annotated[
    str | None,
    typer.Argument(
        metavar="[STUDY]", help="A study folder, or the id of a results dataset.  \\[default: the shipped reference]", show_default=False
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", help="A model for Read along, a folder or a Hub id, beside the study's own; can be repeated.", show_default=False
    ),
]
Revision = Annotated[str | None, typer.Option(help="Commit, branch or tag of the results dataset.", show_default=False)]
AnyModel = Annotated[
    bool, typer.Option("--any-model", help="Lets the page load any model of the Hub; code that comes with it is never run.")
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Where the page is served.  \\[default: the first free one from 7860 on]", show_default=False),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Prints the address and opens no window.")]


def space(
    study: Given = None,
    model: Models = None,
    revision: Revision = None,
    any_model: AnyModel = False,
    port: Port = None,
    no_browser: NoBrowser = False,
) -> None:
    """Opens the page with charts to explore, models to compare and texts to read along."""
    from hf_ctxscale.app.chosen_results import download_results
    from hf_ctxscale.app.launch import SHIPPED_NAME, serve
    from hf_ctxscale.app.settings import SpaceSettings, load_settings
    from hf_ctxscale.app.shipped import shipped_checkpoints, shipped_study, space_folder, trained_models
    from hf_ctxscale.cli.pipeline import open_existing
    from hf_ctxscale.cli.stages import show, stage
    from hf_ctxscale.study import UserError

    is_id = study is not None and not Path(study).exists() and study.count("/") == 1 and not study.startswith((".", "~", "/"))
    if revision is not None and not is_id:
        raise UserError(f"--revision is for a results dataset of the Hub, but {study or SHIPPED_NAME!r} is none; leave it out.")
    settings = SpaceSettings(any_model=any_model, limits=load_settings(space_folder()).limits)
    with stage("space"):
        if study is None:
            opened, name = shipped_study(), SHIPPED_NAME
        else:
            opened, name = (download_results(study, revision=revision) if is_id else open_existing(Path(study))), study
        models = (trained_models(opened) if study else {}) or shipped_checkpoints()
        serve(
            opened,
            name=name,
            models={**models, **{given: _model(given) for given in model or ()}},
            settings=settings,
            port=port,
            open_browser=not no_browser,
            show=show,
        )


def _model(given: str) -> Path | str:
    """A folder, or else a Hub id, which is looked up when a text is read.

    Raises:
        UserError: it can be neither.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    from hf_ctxscale.study import UserError

    if Path(given).is_dir():
        return Path(given)
    try:
        validate_repo_id(given)
    except HFValidationError:
        raise UserError(f"--model {given!r} is neither a folder that is there nor an id of the Hub (OWNER/NAME).") from None
    return given
