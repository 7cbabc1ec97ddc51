"""What a sweep is doing right now, read from the study's records and drawn as a live table."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study


@dataclass(frozen=True)
class RunProgress:
    """One run as it stands: its record, and step, loss and speed while it trains."""

    record: RunRecord
    step: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it; a run at its last step still has to be validated and saved."""
        return self.record.state in ("finished", "failed")

    @property
    def fraction(self) -> float:
        """Share of the training steps that are done, 0 to 1."""
        if self.ended:
            return 1.0
        return self.step / self.record.train_steps

    @property
    def seconds_left(self) -> float | None:
        """Of this run alone; None while its speed is not known."""
        if self.record.state != "training" or not self.tokens_per_second:
            return None
        return (1 - self.fraction) * self.record.train_tokens / self.tokens_per_second


def progress_file(study: Study, run_id: str) -> Path:
    """Where a worker notes how far a run is; gone once the run has ended."""
    return study.run_folder(run_id) / "progress.json"


def read_progress(study: Study, run_ids: list[str]) -> list[RunProgress]:
    """The given runs as they stand."""
    found = []
    for run_id in run_ids:
        record = RunRecord.model_validate_json(study.run_file(run_id).read_text())
        try:
            now = json.loads(progress_file(study, run_id).read_text())
        except FileNotFoundError:
            now = {}
        found.append(RunProgress(record, **now) if record.state == "training" else RunProgress(record, loss=record.validation_loss_nats))
    return found


def progress_table(runs: list[RunProgress], *, caption: str) -> Table:
    """The live table: a row per run."""
    table = Table(caption=caption, caption_justify="left")
    table.add_column("run", no_wrap=True)
    for column in ("state", "done", "loss", "tokens/s", "left"):
        table.add_column(column, justify="right")
    for run in runs:
        table.add_row(
            run.record.run_id,
            run.record.state,
            f"{run.fraction:.0%}",
            "" if run.loss is None else f"{run.loss:.3f}",
            "" if run.tokens_per_second is None else f"{run.tokens_per_second:,.0f}",
            "" if run.seconds_left is None else in_words(run.seconds_left),
        )
    return table


def in_words(seconds: float) -> str:
    """A duration as a person says it: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
