"""StudySettings: one YAML file, checked; unknown keys are refused with a suggestion, and every mistake is one sentence."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hf_ctxscale.architectures import find_architecture
from hf_ctxscale.config_errors import sentences
from hf_ctxscale.study import UserError

SHIPPED_CONFIGS = (Path(__file__).parent / "configs", Path(__file__).parents[1] / "configs")
MAX_CONFIG_BYTES = 1_000_000

Fraction = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """A group of settings: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusSettings(Settings):
    """Where the text comes from: a name of corpora.TABLE, or a local file or folder."""

    name: str | None = None
    path: Path | None = None  # relative to the working directory
    text_column: str = "text"  # of parquet and JSON lines
    validation_fraction: Fraction = 0.05  # of documents, where the corpus has no validation split of its own
    test_fraction: Fraction = 0.15

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.name is None and self.path is None:
            raise ValueError("give 'name' (a corpus of hf_ctxscale/corpora.py) or 'path' (a local file or folder)")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on; their sum must be under 1")
        return self


class TokenizerSettings(Settings):
    """A byte-level BPE trained on the corpus's training split, or any tokenizer folder."""

    vocab_size: Annotated[int, Field(ge=257)] | None = None  # 256 bytes and the end-of-text token at least
    path: Path | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.vocab_size is None) == (self.path is None):
            raise ValueError("give either 'vocab_size' (train a tokenizer on the corpus) or 'path' (a tokenizer folder)")
        return self


class SizeSettings(Settings):
    """One rung of the ladder: every family is matched to it and trained on the same number of tokens."""

    body_params: PositiveInt
    train_tokens: PositiveInt
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] | None = None  # of this size; None: the study's


class FamilySettings(Settings):
    """One series of models: an architecture at one depth."""

    architecture: str
    num_layers: PositiveInt | None = None  # None: the depth rule of sizing/match.py
    learning_rate: PositiveFloat | tuple[PositiveFloat, ...] | None = None  # peak; one value, or one per size in the order of `sizes`
    learning_rate_trials: tuple[PositiveFloat, ...] = ()  # every value is trained at every size; the best by validation loss is reported
    dropout: Fraction = 0.0

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        find_architecture(name)
        return name

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if (self.learning_rate is None) == (not self.learning_rate_trials):
            raise ValueError("give either 'learning_rate' or 'learning_rate_trials'")
        return self


class TrainingSettings(Settings):
    """How every run is trained."""

    batch_blocks: PositiveInt = 8  # blocks of context_tokens predictions per step
    warmup_fraction: Fraction = 0.05  # of the steps; then cosine to zero
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    adam_beta1: Fraction = 0.9
    adam_beta2: Fraction = 0.95
    max_grad_norm: PositiveFloat = 1.0
    validation_points: PositiveInt = 10  # log-spaced steps, the last one among them
    validation_blocks: PositiveInt = 128  # `within` windows of validation documents
    checkpoints: PositiveInt = 5  # evenly spaced over a run; an interrupted run continues from the last


class ScoringSettings(Settings):
    """How trained models are measured on test documents."""

    windows: Literal["within", "start", "packed"] = "within"
    max_windows_per_document: PositiveInt = 32
    windows_seed: int = 0
    batch_blocks: PositiveInt = 16
    ablation: bool = False  # also the same targets from ever shorter contexts: effective context; takes several times the scoring


class StudySettings(Settings):
    """One experiment: a corpus, a tokenizer, a context, and a ladder of sizes for some families."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    corpus: CorpusSettings
    tokenizer: TokenizerSettings
    context_tokens: Annotated[int, Field(ge=2)]
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor has it and a probe finds it faster
    sizes: Annotated[tuple[SizeSettings, ...], Field(min_length=1)]
    families: Annotated[tuple[FamilySettings, ...], Field(min_length=1)]
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    size_tolerance: PositiveFloat = 0.03  # largest mismatch between a target and the exact body parameters
    training: TrainingSettings = TrainingSettings()
    scoring: ScoringSettings = ScoringSettings()
    workers: PositiveInt | None = None  # runs trained side by side, one thread each; None: one per core

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        step_tokens = self.training.batch_blocks * self.context_tokens
        for size in self.sizes:
            if size.train_tokens < step_tokens:
                raise ValueError(
                    f"train_tokens={size.train_tokens} is less than one step of {step_tokens} tokens "
                    f"(batch_blocks × context_tokens); raise train_tokens or lower batch_blocks"
                )
        for family in self.families:
            if isinstance(family.learning_rate, tuple) and len(family.learning_rate) != len(self.sizes):
                raise ValueError(
                    f"family {family.architecture!r} gives {len(family.learning_rate)} learning rates for {len(self.sizes)} sizes; "
                    "give one number, or one for each size"
                )
        return self


def find_config(name: str | Path) -> Path:
    """The file that a config argument means: a path, or the name of a shipped config (``demo``).

    Raises:
        UserError: it is neither.
    """
    path = Path(name)
    if path.exists():
        return path
    shipped = {file.stem: file for folder in SHIPPED_CONFIGS for file in sorted(folder.glob("*.yaml"))}
    if str(name) in shipped:
        return shipped[str(name)]
    raise UserError(f"there is no config {str(name)!r}; give a YAML file, or the name of a shipped one: {', '.join(sorted(shipped))}.")


def load_settings(path: Path) -> StudySettings:
    """Reads and checks a study's settings. ``1e9`` and ``3e-4`` are numbers (YAML 1.2), a key given twice is refused.

    Raises:
        UserError: the file cannot be read or does not describe a study.
    """
    return parse_settings(read_yaml(path), source=path.name)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: it is a folder, missing, empty, binary, not YAML, or not a mapping.
    """
    remedy = "Start from configs/demo.yaml."
    if path.is_dir():
        raise UserError(f"config {str(path)!r} is a folder; give the YAML file inside it.")
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UserError(
                f"config {str(path)!r} has {path.stat().st_size} bytes; a config has at most {MAX_CONFIG_BYTES}. Is it the right file?"
            )
        text = path.read_bytes().decode("utf-8")
        if "\0" in text:
            raise ValueError("it holds a NUL byte")
        value = YAML(typ="safe", pure=True).load(text)
    except OSError as error:
        raise UserError(f"config {str(path)!r} cannot be read: {error.strerror}. {remedy}") from None
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"config {str(path)!r} is not valid YAML: {line}{error.problem or error.context}. {remedy}") from None
    except UserError:
        raise
    except RecursionError:
        raise UserError(f"config {str(path)!r} is nested too deeply to be a config. {remedy}") from None
    except (YAMLError, ValueError) as error:
        raise UserError(f"config {str(path)!r} is not a text file in YAML: {str(error).splitlines()[0]}. {remedy}") from None
    if value is None:
        raise UserError(f"config {str(path)!r} is empty. {remedy}")
    if not isinstance(value, dict):
        raise UserError(f"config {str(path)!r} holds a {type(value).__name__}, but a config is a mapping of keys to values. {remedy}")
    return value


def parse_settings(value: dict[str, Any], *, source: str) -> StudySettings:
    """Checks a mapping.

    Args:
        value: what YAML gave.
        source: the file's name, for error messages.

    Raises:
        UserError: a key is unknown, missing, or has a value of another kind; every mistake is listed.
    """
    try:
        # Strict, so that neither text nor true passes for a number; through JSON, where a list may still become a tuple and text a path.
        return StudySettings.model_validate_json(json.dumps(_plain(value), default=str), strict=True)
    except RecursionError:
        raise UserError(f"{source} holds itself through a YAML anchor; write the repeated part out.") from None
    except ValidationError as error:
        raise UserError("\n".join(sentences(error.errors(), model=StudySettings, source=source))) from None


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: 6e6 as the whole number that it is, infinity and NaN as text (no setting may be either)."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value
    return value
