"""Corpora of the Hub, through stand-ins for the datasets library and for the Hub: no test goes to the network."""

import json
import subprocess
import sys
import types

import pytest

from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.corpora import TABLE
from hf_ctxscale.data.sources import open_source
from hf_ctxscale.study import UserError
from tests.hub_stand_in import HubStandIn

# Reads the corpus with the datasets library itself.
SCRIPT = """
import json
from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.data.sources import open_source

readers = open_source(CorpusSettings(name="tinyshakespeare")).readers
print(json.dumps({split: [(document.id, document.text) for document in reader()] for split, reader in readers.items()}))
"""


class Rows(list):
    @property
    def column_names(self):
        return list(self[0])


def stand_in(monkeypatch, load_dataset):
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))


def test_tinyshakespeare_is_read_from_a_pinned_revision_with_its_own_splits(monkeypatch):
    asked = []

    def load_dataset(name, *, revision):
        asked.append((name, revision))
        return {split: Rows([{"text": f"{split} text"}]) for split in ("train", "validation", "test")}

    stand_in(monkeypatch, load_dataset)
    source = open_source(CorpusSettings(name="tinyshakespeare"))
    assert asked == []
    found = {split: [(document.id, document.text) for document in reader()] for split, reader in source.readers.items()}
    assert found == {split: [(f"tinyshakespeare/{split}:0", f"{split} text")] for split in ("train", "validation", "test")}
    assert asked == [("karpathy/tiny_shakespeare", TABLE["tinyshakespeare"].revision)]
    assert TABLE["tinyshakespeare"].revision in source.content_hash


def test_a_missing_network_names_the_dataset_and_the_remedy(monkeypatch):
    def load_dataset(name, *, revision):
        raise ConnectionError(f"Couldn't reach {name!r} on the Hub")

    stand_in(monkeypatch, load_dataset)
    with pytest.raises(
        UserError, match=r"'karpathy/tiny_shakespeare' .* could not be loaded: ConnectionError: .*or give 'path' with a local copy"
    ):
        next(open_source(CorpusSettings(name="tinyshakespeare")).readers["train"]())


def test_a_dataset_without_the_text_column_lists_its_columns(monkeypatch):
    stand_in(monkeypatch, lambda name, *, revision: {split: Rows([{"line": "x"}]) for split in ("train", "validation", "test")})
    with pytest.raises(UserError, match=r"has splits train, validation, test with columns line; needed: .* with 'text'"):
        next(open_source(CorpusSettings(name="tinyshakespeare")).readers["train"]())


def test_the_datasets_library_gives_the_pinned_revision_and_not_a_later_one(tmp_path):
    rules = TABLE["tinyshakespeare"]
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n" + "".join(
        f"  - split: {split}\n    path: {split}.json\n" for split in ("train", "validation", "test")
    )
    files = {f"{split}.json": json.dumps({"text": f"{split} text"}).encode() for split in ("train", "validation", "test")}
    with HubStandIn() as hub:
        pinned = hub.add_commit(rules.hub_id, {"README.md": f"{card}---\n".encode(), **files}, repo_type="dataset")
        # As a name for that commit; the stand-in's own are others than the Hub's.
        hub.repository(rules.hub_id, "dataset").tags[rules.revision] = pinned
        hub.add_commit(rules.hub_id, {"train.json": b'{"text": "another text"}'}, repo_type="dataset")
        environment = hub.environment(tmp_path, token=None)
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        split: [[f"tinyshakespeare/{split}:0", f"{split} text"]] for split in ("train", "validation", "test")
    }
