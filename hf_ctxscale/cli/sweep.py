"""`hf-ctxscale sweep CONFIG --out STUDY`: trains what is missing, and no more."""

from hf_ctxscale.cli.run import Config, Out, Workers


def sweep(config: Config, out: Out, workers: Workers = None) -> None:
    """Trains the runs that are missing; `run` goes on from there."""
    from hf_ctxscale.cli.pipeline import begin, build_study_tokens, train_runs

    study, settings, seconds = begin(config, out=out, workers=workers)
    train_runs(study, settings, build_study_tokens(study, settings), workers=workers, expected_seconds=seconds)
