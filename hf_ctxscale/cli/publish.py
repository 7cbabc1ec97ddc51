"""`hf-ctxscale publish model|results|space|metric|study`: to the Hugging Face Hub, each repository in one commit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_ctxscale.publishing import LICENCE

if TYPE_CHECKING:
    from hf_ctxscale.publishing.upload import Upload

WIDTH = len("collection") + 2  # of the first columns of what became of a study

publish = typer.Typer(
    help="Push to the Hugging Face Hub: models, results, the Space and the metric, with their cards. Private unless --public; the token is the one of "
    "`hf auth login`, or HF_TOKEN. A push that was interrupted can be repeated.",
    no_args_is_help=True,
)

Repo = Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository; made where there is none.", show_default=False)]
Public = Annotated[bool, typer.Option("--public", help="Make a new repository public. One that exists stays as it is.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List every file with its size, and show the card; needs no network and no token.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Also where somebody else has changed the repository; its earlier commits stay in its history.")
]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study folder.", show_default=False)]


@publish.command()
def model(
    run: Annotated[Path, typer.Argument(metavar="STUDY/runs/RUN", help="The folder of a finished run.", show_default=False)],
    repo: Repo,
    licence: Annotated[str, typer.Option("--license", help="Of the weights, as the Hub names it.")] = LICENCE,
    public: Public = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
) -> None:
    """Publish a trained model: weights, tokenizer, code where it has its own, and a card with what was measured."""
    from hf_ctxscale.publishing.model import model_upload

    _send(model_upload(run, repo_id=repo, licence=licence), public=public, dry_run=dry_run, overwrite=overwrite)


@publish.command()
def results(study: StudyFolder, repo: Repo, public: Public = False, dry_run: DryRun = False, overwrite: Overwrite = False) -> None:
    """Publish a study's results as a dataset: its tables, charts, report and card."""
    from hf_ctxscale.cli.pipeline import open_existing
    from hf_ctxscale.publishing.results import results_upload

    _send(results_upload(open_existing(study), repo_id=repo), public=public, dry_run=dry_run, overwrite=overwrite)


@publish.command()
def space(
    repo: Repo,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME", help="A results dataset that the Space shows.  \\[default: the shipped results]", show_default=False
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OWNER/NAME", help="A model for Read along; may be repeated.  \\[default: the shipped ones]", show_default=False
        ),
    ] = None,
    public: Public = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
) -> None:
    """Publish the Gradio Space: the app of `hf-ctxscale space`."""
    from hf_ctxscale.publishing.space import space_upload

    _send(space_upload(repo_id=repo, results_id=results, models=model or ()), public=public, dry_run=dry_run, overwrite=overwrite)


@publish.command()
def metric(repo: Repo, public: Public = False, dry_run: DryRun = False, overwrite: Overwrite = False) -> None:
    """Publish the evaluate module per_position_loss as a Space, for `evaluate.load`."""
    from hf_ctxscale.publishing.metric import metric_upload

    _send(metric_upload(repo_id=repo), public=public, dry_run=dry_run, overwrite=overwrite)


@publish.command()
def study(
    study: StudyFolder,
    repo: Annotated[
        str,
        typer.Option(
            metavar="OWNER/PREFIX", help="The Space; results are OWNER/PREFIX-results, models OWNER/PREFIX-RUN.", show_default=False
        ),
    ],
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run whose model is published; may be repeated.  \\[default: every finished run]", show_default=False),
    ] = None,
    public: Public = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
) -> None:
    """Publish a whole study: models, results and Space, tied in a collection."""
    from hf_ctxscale.cli.pipeline import open_existing
    from hf_ctxscale.cli.stages import show, stage
    from hf_ctxscale.publishing.whole_study import publish_study, study_uploads

    folder = open_existing(study)
    uploads = study_uploads(folder, repo_id=repo, runs=run or ())
    if dry_run:
        for upload in uploads:
            _show_contents(upload)
        return
    with stage("publish"):
        done = publish_study(uploads, title=repo.split("/")[-1], public=public, overwrite=overwrite, show=show)
        for upload, pushed in done.repositories:
            show(f"{upload.repo_type:<{WIDTH}}{'pushed' if pushed.changed else 'as it was':<{WIDTH}}{pushed.url}")
        show(f"{'collection':<{2 * WIDTH}}{done.collection}")


def _send(upload: "Upload", *, public: bool, dry_run: bool, overwrite: bool) -> None:
    from hf_ctxscale.cli.stages import show, stage
    from hf_ctxscale.publishing.upload import push

    if dry_run:
        _show_contents(upload)
        return
    with stage("publish"):
        pushed = push(upload, public=public, overwrite=overwrite, show=show)
        show(f"{pushed.url} {'holds it now' if pushed.changed else 'held all of it already'} (commit {pushed.commit[:7]})")


def _show_contents(upload: "Upload") -> None:
    from hf_ctxscale.cli.stages import console
    from hf_ctxscale.publishing.dry_run import dry_run_lines

    for line in dry_run_lines(upload):
        console.print(line, markup=False, emoji=False, soft_wrap=True)
