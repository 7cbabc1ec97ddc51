"""`hf-ctxscale run CONFIG --out STUDY`: everything, from text to report."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped config such as 'demo'.", show_default=False)]
Out = Annotated[Path, typer.Option(help="The study folder: a new one, or one to continue.", show_default=False)]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Runs trained side by side, one thread each.  [default: one per core]", show_default=False)
]


def run(config: Config, out: Out, workers: Workers = None) -> None:
    """Trains, scores, analyses, draws and reports; the same command again continues and skips what is finished."""
    import time

    from hf_ctxscale.cli.pipeline import analyse_results, begin, build_study_tokens, draw_results, score_runs, train_runs
    from hf_ctxscale.cli.stages import show
    from hf_ctxscale.sweep.progress import in_words

    started = time.perf_counter()
    study, settings, seconds = begin(config, out=out, workers=workers)
    tokens = build_study_tokens(study, settings)
    records = train_runs(study, settings, tokens, workers=workers, expected_seconds=seconds)
    score_runs(study, settings, records, tokens, workers=workers)
    analyse_results(study)
    draw_results(study)
    show(f"all stages: {in_words(time.perf_counter() - started)}")
