"""From corpus settings to the documents' source: a name of the table, a local path, or the table's rules on a local path."""

import platform
import sysconfig
from dataclasses import replace
from pathlib import Path

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.corpora import LOCAL_TEXT, Corpus, find_corpus
from hf_ctxscale.data.documents import Source
from hf_ctxscale.data.hub import open_hub
from hf_ctxscale.data.local_files import open_files
from hf_ctxscale.data.synthetic import open_synthetic
from hf_ctxscale.study import UserError


def corpus_rules(settings: CorpusSettings) -> Corpus:
    """How text becomes documents: by the table's entry, or by that for local text where the settings name none.

    Raises:
        UserError: the name is unknown.
    """
    return LOCAL_TEXT if settings.name is None else find_corpus(settings.name)


def open_source(settings: CorpusSettings) -> Source:
    """Where the documents of a corpus come from.

    Raises:
        UserError: the name is unknown or that of a synthetic corpus with a path, or the path is missing or holds no text.
    """
    rules = corpus_rules(settings)
    if rules.source == "synthetic" and settings.path is not None:
        raise UserError(
            f"corpus {settings.name!r} is synthetic: its documents are drawn, and not read from path {str(settings.path)!r}; "
            "leave out 'path', or leave out 'name' to use the text that lies there."
        )
    if settings.path is not None:
        path = settings.path.expanduser()
        label = settings.name or path.resolve().name
        return open_files(path, rules=rules, text_column=settings.text_column, label=label)
    assert settings.name is not None
    if rules.source == "hub":
        return open_hub(settings.name, rules=rules, text_column=settings.text_column)
    if rules.source == "synthetic":
        return open_synthetic(settings.name, rules=rules)
    library = Path(sysconfig.get_path("stdlib"))
    source = open_files(library, rules=rules, text_column=settings.text_column, label=settings.name)
    return replace(source, versions={"python": platform.python_version()})
