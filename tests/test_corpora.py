"""The table of corpora: every entry is whole, unknown names are answered, and reading the table stays light."""

import subprocess
import sys

import pytest

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.corpora import TABLE, find_corpus
from hf_ctxscale.data.sources import open_source
from hf_ctxscale.study import UserError


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_entry_says_where_its_text_is(name):
    entry = find_corpus(name)
    assert entry.source in ("standard library", "hub", "synthetic")
    assert (entry.source == "hub") == (entry.hub_id is not None) == (entry.revision is not None)
    assert (entry.source == "synthetic") == (entry.synthetic is not None)
    assert entry.description
    assert entry.vocab_size >= 257
    source = open_source(CorpusSettings(name=name))
    assert source.label == name
    assert "train" in source.readers


def test_an_unknown_corpus_is_answered_with_the_nearest_and_all_names():
    with pytest.raises(
        UserError,
        match=r"unknown corpus 'python-stlib'; did you mean 'python-stdlib'\? Allowed: copy, .*, python-stdlib, tinyshakespeare, or 'path'",
    ):
        find_corpus("python-stlib")
    with pytest.raises(UserError, match=r"unknown corpus 'xyz'; Allowed: copy, dirichlet-markov, dirichlet-unigram, python-stdlib"):
        open_source(CorpusSettings(name="xyz"))


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("hf_ctxscale.corpora", "torch transformers datasets tokenizers datasketch"),
        ("hf_ctxscale.data.blocks", "torch transformers datasets tokenizers datasketch"),
        ("hf_ctxscale.data.build", "torch transformers datasets"),
    ],
)
def test_imports_stay_light(module, heavy):
    code = f"import sys, {module}; print(*(set({heavy.split()!r}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
