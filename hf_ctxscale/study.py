"""The study folder: where every stage's files lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from hf_ctxscale.records import RunRecord, ScoreRecord

FITS_FORMAT = 2  # of results/fits.json


class UserError(ValueError):
    """Input that the user can mend; the message says what was given, what is allowed and what to do.

    The command line prints it without a traceback and leaves with exit code 2.
    """


class StageError(RuntimeError):
    """A stage that broke for a reason outside the user's input; the command line prints it and leaves with exit code 1."""


Record = TypeVar("Record", RunRecord, ScoreRecord)


@dataclass(frozen=True)
class Study:
    """Paths inside one study folder. Nothing is created until something is written."""

    folder: Path

    @property
    def config_file(self) -> Path:
        """The resolved settings."""
        return self.folder / "study.yaml"

    @property
    def tokens(self) -> Path:
        """Tokenizer, token streams, corpus record."""
        return self.folder / "tokens"

    @property
    def tokenizer(self) -> Path:
        """An ordinary Hugging Face tokenizer folder."""
        return self.tokens / "tokenizer"

    @property
    def runs(self) -> Path:
        """One folder per run."""
        return self.folder / "runs"

    @property
    def scores(self) -> Path:
        """One folder per score."""
        return self.folder / "scores"

    @property
    def results(self) -> Path:
        """Tables and fits."""
        return self.folder / "results"

    @property
    def charts(self) -> Path:
        """Pictures."""
        return self.folder / "charts"

    @property
    def fits_file(self) -> Path:
        """Fits and claims."""
        return self.results / "fits.json"

    @property
    def table_file(self) -> Path:
        """Numbers from elsewhere that are analysed without runs and scores of the study's own."""
        return self.folder / "table.csv"

    @property
    def comparisons_file(self) -> Path:
        """Models scored together, two at a time."""
        return self.results / "comparisons.json"

    def results_file(self, table: Literal["runs", "curves", "positions", "bytes", "ablation"]) -> Path:
        """One of the result tables."""
        return self.results / f"{table}.parquet"

    def run_folder(self, run_id: str) -> Path:
        """Everything of one run."""
        return self.runs / run_id

    def run_file(self, run_id: str) -> Path:
        """A run's record."""
        return self.runs / run_id / "run.json"

    def model_folder(self, run_id: str) -> Path:
        """A run's model, as from_pretrained opens it."""
        return self.runs / run_id / "model"

    def history_file(self, run_id: str) -> Path:
        """A run's losses over training."""
        return self.runs / run_id / "history.parquet"

    def validation_curves_file(self, run_id: str) -> Path:
        """A run's validation losses by document and bin of positions, over training."""
        return self.runs / run_id / "validation_curves.parquet"

    def score_file(self, score_id: str) -> Path:
        """A score's record."""
        return self.scores / score_id / "score.json"

    def losses_file(self, score_id: str) -> Path:
        """A score's losses by document and position."""
        return self.scores / score_id / "losses.parquet"

    def byte_losses_file(self, score_id: str) -> Path:
        """A score's losses by document and bytes of context, in bins of analysis/byte_bins.py."""
        return self.scores / score_id / "losses_by_bytes.parquet"

    def ablation_file(self, score_id: str) -> Path:
        """A score's losses by document and cut of the ablation."""
        return self.scores / score_id / "ablation.parquet"

    def scored_tokens(self, name: str) -> Path:
        """Tokens that scored models of another tokenizer or corpus than the study's own were measured on."""
        return self.folder / "scored_tokens" / name

    @property
    def begun(self) -> bool:
        """Whether it holds a run, planned at least: from then on its settings are fixed."""
        return next(self.runs.glob("*/run.json"), None) is not None

    def run_records(self) -> list[RunRecord]:
        """Every run that has a record, in order of its id."""
        return [_read_record(f, RunRecord) for f in sorted(self.runs.glob("*/run.json"))]

    def score_records(self) -> list[ScoreRecord]:
        """Every finished score, in order of its id."""
        return [_read_record(f, ScoreRecord) for f in sorted(self.scores.glob("*/score.json"))]

    @property
    def ablation_rounds(self) -> int:
        """Rounds of the furthest ablation of a run so far, at least one."""
        return max((score.ablation.num_rounds for score in self.score_records() if score.run_id and score.ablation), default=1)


def _read_record(path: Path, kind: type[Record]) -> Record:
    """A record that somebody may have edited, or that belongs to another version.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        # Of a record with many mistakes the first says enough.
        mistakes = error.errors() if isinstance(error, ValidationError) else []
        what = f"{'.'.join(map(str, mistakes[0]['loc']))}: {mistakes[0]['msg']}".lstrip(": ") if mistakes else str(error)
        raise UserError(f"{path} is no record that this version reads ({what}); restore it, or remove the folder {path.parent}.") from None


def size_label(count: float) -> str:
    """A count in the figure's style: 26K, 400K, 1.5M, 13B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= limit * 0.9995:
            return f"{count / limit:.2g}{unit}" if count < limit * 9.95 else f"{count / limit:.0f}{unit}"
    return f"{count:g}"
