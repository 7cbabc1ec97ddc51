"""Documents of a dataset on the Hugging Face Hub, through the datasets library; one row is one document."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from hf_ctxscale.corpora import Corpus
from hf_ctxscale.data.documents import SPLITS, Document, Source, Split
from hf_ctxscale.study import UserError


def open_hub(name: str, *, rules: Corpus, text_column: str) -> Source:
    """The documents of a corpus that lives on the Hub. Nothing is fetched before the first document is asked for.

    The content hash is of the id and the revision, so that a study whose tokens are there needs no network.
    """
    assert rules.hub_id is not None
    rows = _Rows(rules, text_column=text_column, name=name)
    return Source(
        label=name,
        readers={split: partial(rows.documents, split) for split in SPLITS},
        content_hash=f"{rules.hub_id}@{rules.revision} {text_column}",
        versions={rules.hub_id: str(rules.revision)},
    )


class _Rows:
    """The dataset's rows, memory-mapped by datasets in its own cache."""

    def __init__(self, rules: Corpus, *, text_column: str, name: str) -> None:
        self._rules = rules
        self._text_column = text_column
        self._name = name
        self._dataset: Any = None

    def documents(self, split: Split) -> Iterator[Document]:
        if self._dataset is None:
            self._dataset = self._load()
        for row, values in enumerate(self._dataset[split]):
            yield Document(f"{self._name}/{split}:{row}", values[self._text_column] or "")

    def _load(self) -> Any:
        import datasets  # takes a second and is needed for no other corpus

        try:
            loaded = datasets.load_dataset(self._rules.hub_id, revision=self._rules.revision)
        except Exception as error:
            raise UserError(
                f"corpus {self._name!r} is the dataset {self._rules.hub_id!r} (revision {self._rules.revision!r}) of the Hugging Face Hub, "
                f"which could not be loaded: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}. "
                "Check the network, or give 'path' with a local copy of its text."
            ) from error
        missing = [split for split in SPLITS if split not in loaded]
        if missing or self._text_column not in loaded["train"].column_names:
            raise UserError(
                f"dataset {self._rules.hub_id!r} has splits {', '.join(loaded)} with columns {', '.join(loaded['train'].column_names)}; "
                f"needed: {', '.join(SPLITS)} with {self._text_column!r}. Give 'path' with a local copy of its text."
            )
        return loaded
