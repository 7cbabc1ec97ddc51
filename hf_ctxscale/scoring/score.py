"""score: losses by context position of any causal language model on any text, for Python programs; `hf-ctxscale score` for studies."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_ctxscale.analysis.positions import PositionLosses
from hf_ctxscale.config import CorpusSettings
from hf_ctxscale.data.documents import Document, Source, Split
from hf_ctxscale.records import BosPolicy, WindowPolicy
from hf_ctxscale.scoring.measure import choose_windows
from hf_ctxscale.scoring.open_model import bos_ids_of, check_vocabulary, max_positions_of, open_causal_lm, vocab_size_of
from hf_ctxscale.scoring.score_model import score_model
from hf_ctxscale.scoring.score_models import check_positions
from hf_ctxscale.scoring.scored_corpus import WHOLE, ScoredCorpus, open_scored_corpus
from hf_ctxscale.study import Study, UserError


def score(
    model: PreTrainedModel | str | Path,
    corpus: str | Path | Sequence[str],
    *,
    context_tokens: int = 1024,
    tokenizer: PreTrainedTokenizerBase | None = None,
    windows: WindowPolicy = "within",
    bos: BosPolicy = "auto",
    split: Split | None = None,
    max_windows_per_document: int = 32,
    seed: int = 0,
    batch_blocks: int = 8,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> PositionLosses:
    """Losses of a causal language model at every context position, as sums per document.

    Args:
        model: in memory, or a folder or Hub id, which is opened in float32.
        corpus: a name of corpora.TABLE, a local file or folder, or texts, each of which is a document.
        context_tokens: T.
        tokenizer: of a model in memory.
        windows: where blocks are taken.
        bos: what stands before every window.
        split: of a named corpus, by default its test split.
        max_windows_per_document: of `within` windows.
        seed: of the offsets of `within` windows.
        batch_blocks: windows per forward pass; halved where memory runs out.
        show: called with the windows done and their total.

    Returns:
        Sums in nats with counts; `hf_ctxscale.analysis.positions` makes curves, means and intervals of them.

    Raises:
        UserError: the model or corpus cannot be used, or no document is long enough.
    """
    for name, given, allowed in (("windows", windows, get_args(WindowPolicy)), ("bos", bos, get_args(BosPolicy))):
        if given not in allowed:
            raise UserError(f"{name}={given!r} is not known; allowed: {', '.join(map(repr, allowed))}.")
    for name, number in (
        ("context_tokens", context_tokens),
        ("max_windows_per_document", max_windows_per_document),
        ("batch_blocks", batch_blocks),
    ):
        if number < 1:
            raise UserError(f"{name}={number}; it has to be 1 or more.")
    if isinstance(model, (str, Path)):
        opened = open_causal_lm(str(model))
        model_name, network, tokenizer = opened.name, opened.model, tokenizer or opened.tokenizer
    else:
        model_name, network = type(model).__name__, model
    if tokenizer is None:
        raise UserError("a model in memory has no tokenizer with it; pass tokenizer=AutoTokenizer.from_pretrained(...).")
    check_vocabulary(model_name, tokenizer=tokenizer, vocab_size=vocab_size_of(network))
    bos_ids = bos_ids_of(tokenizer, bos)
    check_positions(model_name, context_tokens, num_bos=len(bos_ids), max_positions=max_positions_of(network.config))
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder))
        text = open_scored_corpus(str(corpus), split=split, study=study) if isinstance(corpus, (str, Path)) else _of_texts(corpus, study)
        tokens = text.tokens_of(tokenizer, show=lambda sentence: None)
        chosen = choose_windows(
            tokens.split(text.split),
            policy=windows,
            context_tokens=context_tokens,
            max_windows_per_document=max_windows_per_document,
            seed=seed,
        )
        return score_model(
            network,
            chosen,
            documents=tokens.split(text.split).documents,
            num_bytes_by_id=tokens.num_bytes_by_id,
            batch_blocks=batch_blocks,
            bos_ids=bos_ids,
            show=show,
        )


def _of_texts(texts: Sequence[str], study: Study) -> ScoredCorpus:
    """Texts as a corpus that is scored whole; a document is called by its number."""
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UserError("the corpus holds no texts, or something else than texts; give a name, a path, or a list of texts.")
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    content_hash = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
    source = Source(label="texts", readers={"test": lambda: iter(documents)}, content_hash=content_hash)
    return ScoredCorpus(CorpusSettings(path=Path("texts")), source, "test", WHOLE, study)
