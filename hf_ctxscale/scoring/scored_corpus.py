"""ScoredCorpus: the text that models are scored on, and its tokens for any tokenizer."""

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from hf_ctxscale.config import CorpusSettings, TokenizerSettings
from hf_ctxscale.corpora import TABLE
from hf_ctxscale.data.build import build_tokens
from hf_ctxscale.data.documents import Source, Split, whole
from hf_ctxscale.data.sources import open_source
from hf_ctxscale.data.tokenizer import text_fingerprint
from hf_ctxscale.data.tokens import Tokens, load_tokens, read_token_record
from hf_ctxscale.scoring.resuming import processes
from hf_ctxscale.study import Study, UserError

WHOLE = "whole"


@dataclass(frozen=True)
class ScoredCorpus:
    """Documents to score models on.

    Attributes:
        settings: name or path, and the fractions that its splits have.
        source: its documents.
        split: the stream that is scored.
        split_name: the same for people: ``whole`` where a local corpus has no splits.
        study: where tokens are kept.
    """

    settings: CorpusSettings
    source: Source
    split: Split
    split_name: str
    study: Study

    def tokens_of(self, tokenizer: PreTrainedTokenizerBase, *, show: Callable[[str], None]) -> Tokens:
        """The corpus in a tokenizer's tokens: the study's own where they are the same, otherwise made once and kept in scored_tokens/.

        Raises:
            UserError: the tokenizer has no end-of-text token.
        """
        if tokenizer.eos_token_id is None:
            raise UserError(
                f"the tokenizer of {tokenizer.name_or_path!r} has no end-of-text token, which has to stand between documents; set 'eos_token' in its "
                "tokenizer_config.json to one of its tokens."
            )
        fingerprint = tokenizer_fingerprint(tokenizer)
        own = read_token_record(self.study.tokens)
        if own is not None and own.decided_by["text"] == self.source.content_hash and _same_fractions(own.corpus_settings, self.settings):
            tokens = load_tokens(self.study.tokens)
            if tokens.tokenizer_fingerprint == fingerprint:
                return tokens
        decided_by = f"{fingerprint} {self.source.content_hash} {self.settings.validation_fraction} {self.settings.test_fraction}"
        name = f"{folder_name(self.source.label)}-{hashlib.sha256(decided_by.encode()).hexdigest()[:12]}"
        folder = self.study.scored_tokens(name)
        with processes().main_process_first():
            if read_token_record(folder) is None:
                with tempfile.TemporaryDirectory() as saved:
                    tokenizer.save_pretrained(saved)
                    build_tokens(
                        self.settings,
                        TokenizerSettings(path=Path(saved)),
                        folder=folder,
                        show=show,
                        source=self.source,
                        # Not the hash of the saved files: some of their settings say how they were fetched.
                        tokenizer_identity=fingerprint,
                    )
        return load_tokens(folder)


def open_scored_corpus(corpus: str | None, *, split: Split | None, study: Study, text_column: str = "text") -> ScoredCorpus:
    """The corpus of that name or path.

    A local file or folder is scored whole, a corpus of the table by its test split; a study's own corpus always by its splits, since the
    study's models were trained on the rest.

    Args:
        corpus: a name of corpora.TABLE, or a local file or folder; None: the corpus of the study.
        split: which split is scored; None: as above.
        study: where tokens are kept, and whose corpus is the default.
        text_column: of parquet and JSON lines.

    Raises:
        UserError: there is no such corpus, or none was named and the study has none.
    """
    own = read_token_record(study.tokens)
    if corpus is None and own is None:
        raise UserError(
            f"no --corpus was given, and {str(study.folder)!r} is no study with a corpus of its own; name one ({', '.join(sorted(TABLE))}) or give a path."
        )
    own_settings = None if own is None else CorpusSettings.model_validate(own.corpus_settings)
    is_own = own_settings is not None and (corpus is None or _names(corpus, own_settings))
    if is_own:
        assert own_settings is not None
        return ScoredCorpus(own_settings, open_source(own_settings), split or "test", split or "test", study)
    assert corpus is not None
    path = Path(corpus).expanduser()
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        exists = False
    if corpus in TABLE:
        settings = CorpusSettings(name=corpus, text_column=text_column)
    elif exists:
        settings = CorpusSettings(path=path, text_column=text_column)
    else:
        named = corpus if len(corpus) <= 100 else f"{corpus[:97]}..."
        raise UserError(
            f"there is no corpus {named!r}: it is no local file or folder, and not among {', '.join(sorted(TABLE))}; texts themselves are given as a list."
        )
    source = open_source(settings)
    if settings.path is not None and split is None:
        return ScoredCorpus(settings, whole(source), "test", WHOLE, study)
    return ScoredCorpus(settings, source, split or "test", split or "test", study)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Of how a text becomes its tokens; losses by token are comparable where it is the same."""
    return text_fingerprint(tokenizer.backend_tokenizer, end_of_text=tokenizer.eos_token)


def folder_name(label: str) -> str:
    """A label as the name of a folder: ``openai/gpt2`` is ``openai--gpt2``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label.strip("/").replace("/", "--")).strip("._") or "model"


def _same_fractions(there: dict[str, Any], settings: CorpusSettings) -> bool:
    return all(there[name] == getattr(settings, name) for name in ("validation_fraction", "test_fraction"))


def _names(corpus: str, settings: CorpusSettings) -> bool:
    """Whether a name or path means the corpus of these settings."""
    if settings.path is not None and Path(corpus).expanduser().exists():
        return Path(corpus).expanduser().resolve() == settings.path.expanduser().resolve()
    return settings.path is None and corpus == settings.name
