"""What a run and a score record: the contents of run.json and score.json."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

EXACT_PREDICTOR = "ctxscale_exact_predictor"  # model_type of the best possible prediction, where a source's probabilities are known

Precision = Literal["float32", "bfloat16"]
WindowPolicy = Literal["within", "start", "packed"]
BosPolicy = Literal["auto", "none", "always"]


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
