"""ScoreOptions: how models are scored, and command_of: the command that makes a score again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from hf_ctxscale.records import BosPolicy, WindowPolicy
from hf_ctxscale.scoring.scored_corpus import WHOLE, ScoredCorpus


@dataclass(frozen=True)
class ScoreOptions:
    """How models are scored.

    Attributes:
        context_tokens: T.
        windows: where blocks are taken.
        windows_seed: of the offsets of `within` windows.
        max_windows_per_document: of `within` windows.
        bos: what stands before every window.
        ablation: whether the same targets are also predicted from ever shorter contexts.
        carry_state: whether windows begin in the state that a recurrent model has after the document so far.
        batch_blocks: windows per forward pass; None: by the device.
        dtype: of the weights; losses are computed in float32 or better.
        device: None: the first GPU, or the CPU.
        revision: of Hub models.
        trust_remote_code: whether code that comes with a model may run.
        tokenizer: to use in place of the models' own.
    """

    context_tokens: int
    windows: WindowPolicy = "within"
    windows_seed: int = 0
    max_windows_per_document: int = 32
    bos: BosPolicy = "auto"
    ablation: bool = False
    carry_state: bool = False
    batch_blocks: int | None = None
    dtype: str = "float32"
    device: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    tokenizer: str | None = None


def command_of(names: Sequence[str], *, corpus: ScoredCorpus, options: ScoreOptions) -> str:
    """The command that makes the same score again, without what follows from the defaults."""
    settings = corpus.settings
    words = ["hf-ctxscale", "score", *names, "--corpus", str(settings.path or settings.name)]
    if corpus.split_name != (WHOLE if settings.path else "test"):
        words += ["--split", corpus.split_name]
    if settings.text_column != "text":
        words += ["--text-column", settings.text_column]
    words += ["--context", str(options.context_tokens), "--windows", options.windows]
    defaults = ScoreOptions(context_tokens=options.context_tokens)
    for flag, attribute in (
        ("--bos", "bos"),
        ("--seed", "windows_seed"),
        ("--max-windows", "max_windows_per_document"),
        ("--dtype", "dtype"),
        ("--revision", "revision"),
        ("--tokenizer", "tokenizer"),
    ):
        if getattr(options, attribute) != getattr(defaults, attribute):
            words += [flag, str(getattr(options, attribute))]
    words += [
        flag
        for flag, on in (
            ("--ablation", options.ablation),
            ("--carry-state", options.carry_state),
            ("--trust-remote-code", options.trust_remote_code),
        )
        if on
    ]
    return f"{shlex.join(words)} --out STUDY"
