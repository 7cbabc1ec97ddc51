"""`hf-ctxscale score MODEL... --corpus C --out STUDY`: per-position loss of any causal language model, with intervals."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hf_ctxscale.records import BosPolicy, WindowPolicy
from hf_ctxscale.study import StageError, Study, UserError

if TYPE_CHECKING:
    from rich.progress import Progress

    from hf_ctxscale.scoring.measure import Show

SHOWN_TOGETHER = 3  # models whose comparisons are printed: three make three pairs, four make six

Models = Annotated[
    list[str], typer.Argument(help="Model folders or Hub ids; a study's folder stands for all its finished runs.", show_default=False)
]
Out = Annotated[Path, typer.Option(help="The study folder: a new one, or one to add to.", show_default=False)]
Corpus = Annotated[
    str | None,
    typer.Option(
        help="A named corpus (its test split), or a local file or folder (all of it).  \\[default: the study's own]", show_default=False
    ),
]
Context = Annotated[
    int | None, typer.Option(min=1, help="Tokens of context, T.  \\[default: the study's own, or 1024]", show_default=False)
]
Windows = Annotated[
    WindowPolicy,
    typer.Option(help="within: inside documents, away from their beginning; start: from their first token; packed: documents joined."),
]
Ablation = Annotated[bool, typer.Option("--ablation", help="Also predict the same targets from 1, 2, 4, ... T tokens of context.")]
Bos = Annotated[BosPolicy, typer.Option(help="Before every window: what the tokenizer puts there, nothing, or its BOS token always.")]
Split = Annotated[
    Literal["train", "validation", "test"] | None,
    typer.Option(help="The split that is scored.  \\[default: test; a local corpus is scored whole]", show_default=False),
]
CarryState = Annotated[
    bool, typer.Option("--carry-state", help="A named variant for recurrent models: windows begin in the state after the document so far.")
]
MaxWindows = Annotated[int, typer.Option(min=1, help="Windows of each document at most (within).")]
Seed = Annotated[int, typer.Option(help="Of the windows' offsets (within).")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of Hub models.", show_default=False)]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with a model.")]
Tokenizer = Annotated[
    str | None, typer.Option(help="Folder or Hub id of a tokenizer to use in place of the models' own.", show_default=False)
]
Dtype = Annotated[
    str, typer.Option(help="float32, bfloat16, float16, float64, or auto: as saved. Losses are computed in float32 or better.")
]
Device = Annotated[str | None, typer.Option(help="Such as cuda:1.  \\[default: the first GPU, or the CPU]", show_default=False)]
Batch = Annotated[
    int | None,
    typer.Option(min=1, help="Windows per forward pass; halved where memory runs out.  \\[default: by the device]", show_default=False),
]
TextColumn = Annotated[str, typer.Option(help="Of parquet and JSON lines.")]


def score(
    models: Models,
    out: Out,
    corpus: Corpus = None,
    context: Context = None,
    windows: Windows = "within",
    ablation: Ablation = False,
    bos: Bos = "auto",
    split: Split = None,
    carry_state: CarryState = False,
    max_windows: MaxWindows = 32,
    seed: Seed = 0,
    revision: Revision = None,
    trust_remote_code: Trust = False,
    tokenizer: Tokenizer = None,
    dtype: Dtype = "float32",
    device: Device = None,
    batch: Batch = None,
    text_column: TextColumn = "text",
) -> None:
    """Scores causal language models on the same documents; the same command again continues and skips what is finished."""
    from transformers.utils import logging

    from hf_ctxscale.cli.stages import console, stage
    from hf_ctxscale.cli.stages import show as say
    from hf_ctxscale.config import load_settings
    from hf_ctxscale.scoring.resuming import processes
    from hf_ctxscale.scoring.score_models import score_models
    from hf_ctxscale.scoring.score_options import ScoreOptions
    from hf_ctxscale.scoring.scored_corpus import open_scored_corpus

    logging.disable_progress_bar()  # one bar for a model's weights would be drawn over another
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {str(out)!r} is a file; give a folder for the study.")
    study = Study(out)
    if context is None:
        context = load_settings(study.config_file).context_tokens if study.config_file.is_file() else 1024
    options = ScoreOptions(
        context_tokens=context,
        windows=windows,
        windows_seed=seed,
        max_windows_per_document=max_windows,
        bos=bos,
        ablation=ablation,
        carry_state=carry_state,
        batch_blocks=batch,
        dtype=dtype,
        device=device,
        revision=revision,
        trust_remote_code=trust_remote_code,
        tokenizer=tokenizer,
    )
    # Of several processes all work and one speaks.
    console.quiet = not processes().is_main_process
    try:
        with _room_on_disk(), stage("score"), _progress() as show:
            text = open_scored_corpus(corpus, split=split, study=study, text_column=text_column)
            records = score_models(models, corpus=text, options=options, say=say, show=show)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from what was done a few seconds ago.")
        raise
    if processes().is_main_process:
        with _room_on_disk(), stage("results"):
            _write_results(study, [record.score_id for record in records], say=say)


def _write_results(study: Study, score_ids: list[str], *, say: Callable[[str], None]) -> None:
    """Tables, comparisons, charts and cards of these scores."""
    from hf_ctxscale.analysis.comparisons import write_comparisons
    from hf_ctxscale.analysis.results import build_results
    from hf_ctxscale.charts.draw import draw_score, draw_study
    from hf_ctxscale.reporting.cards import write_card
    from hf_ctxscale.reporting.report import write_report
    from hf_ctxscale.reporting.score_lines import results_in_words

    build_results(study)
    for line in results_in_words(study, score_ids):
        say(line)
    if len(score_ids) > 1:
        lines = write_comparisons(study, score_ids)
        for line in lines if len(score_ids) <= SHOWN_TOGETHER else ():
            say(line)
        say(str(study.comparisons_file))
    for score_id in score_ids:
        draw_score(study, score_id)
        say(str(write_card(study, score_id)))
    for path in draw_study(study):
        say(str(path))
    say(str(write_report(study)))


@contextmanager
def _progress() -> Iterator[Callable[[str], Show]]:
    """A line for each model, with the time that is left; nothing where standard error is no terminal or another process speaks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    from hf_ctxscale.scoring.resuming import processes

    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not processes().is_main_process) as progress:
        yield lambda name: _line_of(progress, name)


def _line_of(progress: Progress, name: str) -> Show:
    task = progress.add_task(name, total=None)

    def show(what: str, done: int, total: int) -> None:
        progress.update(task, description=f"{name}: {what}", completed=done, total=total)

    return show


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """A full disk is said in a sentence; every file is written aside, so that nothing finished is lost."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StageError(
            f"there is no room left on the disk ({error.filename or 'while writing'}); what was finished is whole. "
            "Make room, and the same command goes on from there."
        ) from error
