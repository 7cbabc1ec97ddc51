"""setup_rows: how a study was made, as pairs of a name and a value; what its files do not say is left out."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from hf_ctxscale.records import RunRecord, ScoreRecord
from hf_ctxscale.reporting.measured_how import ablation_in_words, bos_in_words, text_in_words, windows_in_words
from hf_ctxscale.reporting.numbers import counted, percent, whole
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.study import size_label

Pair = tuple[str, str]
# What a reader of the numbers may want to install again; a run's record names more.
SHOWN_SETTINGS = {
    "batch_blocks": "blocks per step",
    "warmup_fraction": "warm-up",
    "weight_decay": "weight decay",
    "max_grad_norm": "gradients clipped at",
    "adam_beta1": "Adam beta1",
    "adam_beta2": "beta2",
}


def setup_rows(sources: Sources) -> tuple[Pair, ...]:
    """Corpus, tokenizer, context, training, scoring and machine, in this order; of a table of numbers from elsewhere the file alone."""
    if sources.table is not None:
        digest = sha256(sources.table.read_bytes()).hexdigest()
        return (("table", sources.table.name), ("SHA-256", digest))
    return tuple(
        (name, value)
        for name, value in (*_corpus(sources), *_tokenizer(sources), *_training(sources), *_scoring(sources), *_machine(sources))
        if value
    )


def _corpus(sources: Sources) -> Iterable[Pair]:
    corpus = sources.corpus
    yield "corpus", sources.corpus_name
    yield "corpus fingerprint", str(corpus.get("fingerprint") or "")
    versions = corpus.get("source_versions") or {}
    yield "source", ", ".join(f"{name} {version}" for name, version in versions.items())
    for name, split in (corpus.get("splits") or {}).items():
        counts = (("num_documents", "document"), ("num_tokens", "token"), ("num_bytes", "byte"))
        yield f"{name} split", ", ".join(counted(split[key], noun) for key, noun in counts if split.get(key) is not None)
    yield "split rule", str(corpus.get("split_rule") or "")
    dropped = {reason: count for reason, count in (corpus.get("dropped") or {}).items() if count}
    yield "documents left out", ", ".join(f"{whole(count)} {reason.replace('_', ' ')}" for reason, count in dropped.items())
    yield "near duplicates", str(corpus.get("near_duplicate_rule") or "")


def _tokenizer(sources: Sources) -> Iterable[Pair]:
    settings = sources.settings.get("tokenizer") or {}
    vocab_size = sources.corpus.get("vocab_size") or settings.get("vocab_size")
    size = f", {whole(vocab_size)} ids" if vocab_size else ""
    if settings.get("path"):
        yield "tokenizer", f"the folder {settings['path']}{size}"
    elif settings:
        yield "tokenizer", f"byte-level BPE trained on the training split{size}"
    rules = {"exact": "exact", "approximate": "approximate: tokens were decoded one by one"}
    yield "bytes per token", rules.get(str(sources.corpus.get("bytes_rule")), "")


def _training(sources: Sources) -> Iterable[Pair]:
    yield "context", counted(sources.context_tokens, "token") if sources.context_tokens else ""
    precisions = {str(record.precision) for record in sources.records.values()} or {str(sources.settings.get("precision") or "")}
    yield "training precision", ", ".join(sorted(precisions))
    settings = sources.settings.get("training") or {}
    shown = [f"{label} {_setting(key, settings[key])}" for key, label in SHOWN_SETTINGS.items() if key in settings]
    yield "training", "; ".join(["AdamW, cosine to zero", *shown]) if shown else ""
    yield "seeds", _seeds(sources)


def _seeds(sources: Sources) -> str:
    """Those of every run; where sizes have seeds of their own, size by size."""
    own = sources.settings.get("seeds") or sorted({record.seed for record in sources.records.values()})
    listed = ", ".join(str(seed) for seed in own)
    of_sizes = [size for size in sources.settings.get("sizes") or () if size.get("seeds")]
    others = [f"{', '.join(str(seed) for seed in size['seeds'])} at {size_label(size['body_params'])} body parameters" for size in of_sizes]
    return "; ".join([listed, *others])


def _setting(key: str, value: Any) -> str:
    return percent(value, decimals=0) if key.endswith("_fraction") else f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _scoring(sources: Sources) -> Iterable[Pair]:
    """One line per way of scoring; the runs of a study share one, scored models may not."""
    scores = sources.main_scores
    ways = dict.fromkeys(
        f"{text_in_words(score)}: {counted(score.num_documents, 'document')}, {windows_in_words(score)}, losses in {score.dtype}"
        for score in scores
    )
    yield "scored on", "; ".join(ways)
    yield "BOS", "; ".join(dict.fromkeys(bos_in_words(score) for score in scores))
    short = dict.fromkeys(score.num_documents_too_short for score in scores)
    yield "documents too short for a window", ", ".join(whole(count) for count in short)
    yield "ablation", "; ".join(dict.fromkeys(words for score in sources.scores.values() if (words := ablation_in_words(score))))


def _machine(sources: Sources) -> Iterable[Pair]:
    records: list[RunRecord | ScoreRecord] = [*sources.records.values(), *sources.main_scores]
    yield "device", ", ".join(dict.fromkeys(record.device for record in records if record.device))
    yield "versions", ", ".join(f"{name} {version}" for name, version in sorted(_packages(record.packages for record in records).items()))


def _packages(by_run: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Every version that a package was used in, for runs trained at different times."""
    versions: dict[str, dict[str, None]] = {}
    for packages in by_run:
        for name, version in packages.items():
            versions.setdefault(name, {})[version] = None
    return {name: " and ".join(found) for name, found in versions.items()}
