"""run_space: the Space's app from the files beside it; serve: the app on one study, served until it is stopped."""

import os
import sys
import webbrowser
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from hf_ctxscale.app.build import build_app, launch_options
from hf_ctxscale.app.chosen_results import download_results
from hf_ctxscale.app.opened import Library
from hf_ctxscale.app.reading_models import ReadingModels
from hf_ctxscale.app.settings import SpaceSettings, load_settings
from hf_ctxscale.app.shipped import shipped_checkpoints, shipped_study, space_folder
from hf_ctxscale.study import Study, UserError

SHIPPED_NAME = "the reference study"
WAITING = 200  # events that may wait at once; who comes later is told to try again
LOOPBACK = ("localhost", "127.0.0.1")


def run_space() -> None:
    """Serves what the Space's settings.json says; a mistake in it is a sentence in the Space's log."""
    try:
        settings = load_settings(space_folder())
        if settings.results is None:
            study, name = shipped_study(), SHIPPED_NAME
        else:
            study, name = download_results(settings.results, revision=settings.results_revision), settings.results
        serve(study, name=name, models={**shipped_checkpoints(), **{model: model for model in settings.models}}, settings=settings)
    except UserError as error:
        sys.exit(f"error: {error}")


def serve(
    study: Study,
    *,
    name: str,
    models: Mapping[str, Path | str],
    settings: SpaceSettings,
    port: int | None = None,
    open_browser: bool = False,
    show: Callable[[str], None] = print,
) -> None:
    """Builds the page and serves it until the process is interrupted.

    Args:
        study: what it shows.
        name: what it calls that.
        models: folders and Hub ids that Read along lists, by name.
        settings: limits, and what else may be loaded.
        port: None: the first free one from 7860 on, or GRADIO_SERVER_PORT.
        open_browser: whether to open the page too.
        show: called with the address.

    Raises:
        UserError: the port is taken.
    """
    # When it starts, gradio asks itself through a proxy whether it can be reached.
    for variable in ("no_proxy", "NO_PROXY"):
        os.environ[variable] = ",".join([*filter(None, [os.environ.get(variable)]), *LOOPBACK])
    app = build_app(
        Library(study, name=name), reading=ReadingModels(models, any_model=settings.any_model, limits=settings.limits), settings=settings
    )
    try:
        _, address, _ = app.queue(max_size=WAITING).launch(
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            # What gradio serves of the disk: the files of its own cache that a visitor was given, and nothing else.
            allowed_paths=None,
            max_file_size=f"{settings.limits.upload_megabytes}mb",
            enable_monitoring=False,
            run_history=False,
            ssr_mode=False,
            mcp_server=find_spec("mcp") is not None,
            **launch_options(),
        )
    except OSError as error:
        if "empty port" not in str(error):
            raise
        tried = f"port {port} is taken" if port else "no port of those that gradio tries is free"
        raise UserError(f"{tried}; name another one with --port, or stop what listens there.") from None
    show(f"open {address} (Ctrl+C stops it)")
    if open_browser:
        webbrowser.open(address)
    app.block_thread()
