"""The study folder: where every stage's files lie, what a run and a score record, and the columns of the result tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

FITS_FORMAT = 2  # of results/fits.json

EXACT_PREDICTOR = "ctxscale_exact_predictor"  # model_type of the best possible prediction, where a source's probabilities are known

Precision = Literal["float32", "bfloat16"]
WindowPolicy = Literal["within", "start", "packed"]
BosPolicy = Literal["auto", "none", "always"]


class UserError(ValueError):
    """Input that the user can mend; the message says what was given, what is allowed and what to do.

    The command line prints it without a traceback and leaves with exit code 2.
    """


class StageError(RuntimeError):
    """A stage that broke for a reason outside the user's input; the command line prints it and leaves with exit code 1."""


class ParameterGroups(BaseModel):
    """Number of parameters by group; the groups add up to the true total, tied weights counted once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_embedding: int
    position_embedding: int
    output_head: int  # 0 where the head is tied to the token embedding
    body: int

    @property
    def total(self) -> int:
        """All parameters."""
        return self.token_embedding + self.position_embedding + self.output_head + self.body


class RunRecord(BaseModel):
    """What ``runs/<run_id>/run.json`` holds: one trained model, or one that is waiting, training or failed."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    state: Literal["waiting", "training", "finished", "failed"]
    reason: str | None = None  # why it failed
    settings_hash: str  # hash of all that decides the result
    # what was trained
    architecture: str  # a name of architectures.TABLE
    num_layers: int
    hidden_size: int
    num_heads: int | None = None  # None for recurrent models
    embedding_size: int | None = None  # None where it equals hidden_size
    mlp_size: int | None = None  # None where it is four times hidden_size, or there is none
    dropout: float = 0.0
    target_body_params: int
    params: ParameterGroups
    formula_body_params: int  # the paper's 12·L·d² or 8·h²+8·h per layer
    seed: int
    # how it was trained
    learning_rate: float
    train_tokens: int
    train_steps: int
    batch_blocks: int
    context_tokens: int
    precision: Precision
    flops_per_token: float  # forward and backward, attention and head included
    train_flops: float
    six_nd_flops: float  # the paper's 6·N·D
    # how it came out
    train_seconds: float | None = None
    train_loss_nats: float | None = None  # mean over the last tenth of the training steps
    validation_loss_nats: float | None = None
    packages: dict[str, str] = {}
    device: str | None = None

    @property
    def series(self) -> str:
        """Family and depth as one key: the line on the chart of loss against size, e.g. ``lstm-2``."""
        return f"{self.architecture}-{self.num_layers}"


class Cut(BaseModel):
    """One context length of the ablation. Neighbouring targets share a run, so that their context is a range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context_tokens: int  # k
    context_from: int  # tokens that the first target of a run sees
    context_to: int  # tokens that the last target of a run sees, at most 9k/8


# The ablation has targets enough where L(128) - L(T) is known well enough: the context gain's first half ends there.
SHORTER_CONTEXT_TOKENS = 128


def shorter_cut(cuts: Sequence[Cut]) -> int:
    """Index of the cut that is set against the whole context: 128 tokens, or the largest below T where T is 128 or less."""
    return max((index for index, cut in enumerate(cuts[:-1]) if cut.context_tokens <= SHORTER_CONTEXT_TOKENS), default=0)


class AblationRecord(BaseModel):
    """How the same targets were predicted from less and less context; the losses by cut are in ``ablation.parquet``."""

    model_config = ConfigDict(extra="forbid")

    cuts: tuple[Cut, ...]  # ascending, the last one the whole context
    num_rounds: int  # each of about as many segments of targets as there are documents
    max_rounds: int  # after which every window has given its segment
    targets_per_segment: int
    num_targets: int
    wanted_std_error_nats: float  # of L(128) - L(T)
    std_error_nats: float | None  # reached; None: fewer than two documents
    cost: float  # tokens fed for it, per token fed for the score

    @property
    def error_in_words(self) -> str:
        """The standard error that decides when there are targets enough, and of what it is."""
        if self.std_error_nats is None:
            return "no standard error"
        shorter = self.cuts[shorter_cut(self.cuts)].context_tokens
        return f"standard error of L({shorter}) − L({self.cuts[-1].context_tokens}) {self.std_error_nats:.4f} nats"


class ScoreRecord(BaseModel):
    """What ``scores/<score_id>/score.json`` holds: one model measured on one corpus with one window policy."""

    model_config = ConfigDict(extra="forbid")

    score_id: str
    model: str  # the model folder relative to the study, or a Hub id or path as it was given
    run_id: str | None = None
    revision: str | None = None  # the commit of a Hub model
    # what it was measured on
    corpus: str
    split: str  # `whole`: all of a local corpus
    windows: WindowPolicy
    windows_seed: int
    max_windows_per_document: int
    bos_policy: BosPolicy = "none"
    bos_ids: tuple[int, ...] = ()  # what stood before every window
    carry_state: bool = False  # a named variant: windows begin in the state that the document so far has left
    context_tokens: int
    training_step: int | None = None
    dtype: str
    num_documents: int
    num_documents_too_short: int
    num_documents_not_shared: int = 0  # long enough here, but too short for a model scored in the same call
    num_blocks: int
    num_tokens: int
    tokens_fingerprint: str
    weights_fingerprint: str
    # of a model that the study did not train
    model_type: str | None = None
    num_layers: int | None = None
    hidden_size: int | None = None
    params: ParameterGroups | None = None
    # how it was measured
    tokenizer_fingerprint: str | None = None  # losses by token are comparable where it is the same; None: the study's own
    bytes_rule: Literal["exact", "approximate"] = "exact"
    head: str | None = None  # `chunks`, or `logits: ` and the reason
    batch_blocks: int | None = None
    num_processes: int = 1
    device: str | None = None
    packages: dict[str, str] = {}
    seconds: float | None = None  # of the last process that worked on it
    command: str | None = None  # what repeats it
    ablation: AblationRecord | None = None


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


# The result tables. Every interval column is a 95 % one; an empty cell is null, never a number that stands for "missing".
RUNS_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("model", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("architecture", pa.string()),
        ("num_layers", pa.int64()),
        ("hidden_size", pa.int64()),
        ("seed", pa.int64()),
        ("body_params", pa.int64()),
        ("total_params", pa.int64()),
        ("train_tokens", pa.int64()),
        ("train_flops", pa.float64()),
        ("train_seconds", pa.float64()),
        ("learning_rate", pa.float64()),
        ("train_loss_nats", pa.float64()),
        ("validation_loss_nats", pa.float64()),
        *[
            (f"{name}{end}", pa.float64())
            for name in ("loss_nats", "bits_per_byte", "context_gain_nats", "effective_context", "icl_score")
            for end in ("", "_low", "_high")
        ],
        ("effective_context_censored", pa.bool_()),  # true: it still gains at the whole context; its value is then that context
        ("num_documents", pa.int64()),
        ("num_tokens", pa.int64()),
    ]
)
CURVES_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("context_position", pa.int64()),  # t, 1..T
        ("loss_nats", pa.float64()),
        ("num_tokens", pa.int64()),
    ]
)
POSITIONS_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("position_from", pa.int64()),  # both ends belong to the bin
        ("position_to", pa.int64()),
        ("loss_nats", pa.float64()),
        ("loss_low", pa.float64()),
        ("loss_high", pa.float64()),
        ("num_tokens", pa.int64()),
        ("num_documents", pa.int64()),
    ]
)
BYTES_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("bytes_from", pa.int64()),  # of context; both ends belong to the bin
        ("bytes_to", pa.int64()),
        ("bits_per_byte", pa.float64()),
        ("bits_per_byte_low", pa.float64()),
        ("bits_per_byte_high", pa.float64()),
        ("num_bytes", pa.int64()),  # of the targets
        ("num_documents", pa.int64()),
    ]
)
ABLATION_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("score_id", pa.string()),
        ("context_tokens", pa.int64()),  # k
        ("context_from", pa.int64()),
        ("context_to", pa.int64()),
        ("context_bytes", pa.float64()),  # what k tokens of this corpus stand for on average; null where bytes are not known
        ("loss_nats", pa.float64()),
        ("loss_low", pa.float64()),
        ("loss_high", pa.float64()),
        ("excess_nats", pa.float64()),  # over the whole context, same targets
        ("excess_low", pa.float64()),  # simultaneous 95 % limits over all cuts
        ("excess_high", pa.float64()),
        ("num_tokens", pa.int64()),
        ("num_documents", pa.int64()),
    ]
)
LOSSES_SCHEMA = pa.schema(
    [
        ("document", pa.string()),
        ("num_blocks", pa.int64()),
        ("num_tokens", pa.list_(pa.int64())),  # T values each; context position t at index t-1
        ("num_bytes", pa.list_(pa.int64())),
        ("loss_sum_nats", pa.list_(pa.float64())),
    ]
)
HISTORY_SCHEMA = pa.schema(
    [
        ("step", pa.int64()),
        ("tokens", pa.int64()),
        ("train_loss_nats", pa.float64()),
        ("validation_loss_nats", pa.float64()),
        ("learning_rate", pa.float64()),
        ("tokens_per_second", pa.float64()),
    ]
)


def size_label(count: float) -> str:
    """A count in the figure's style: 26K, 400K, 1.5M, 13B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= limit * 0.9995:
            return f"{count / limit:.2g}{unit}" if count < limit * 9.95 else f"{count / limit:.0f}{unit}"
    return f"{count:g}"
