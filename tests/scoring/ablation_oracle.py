"""The ablation with small defaults, and its oracle: one forward pass for each target and cut."""

from collections import defaultdict

import numpy as np
import pytest
from small_windows import VOCAB_SIZE, is_scored, loss_of_next, num_bytes_by_id

from hf_ctxscale.scoring.ablation import ablate_context, targets_per_segment
from hf_ctxscale.scoring.token_losses import TokenLosses


def ablate(model, windows, split, *, vocab_size=VOCAB_SIZE, **options):
    """With every window, where the options say nothing of rounds."""
    given = {"batch_blocks": 3, "name": "tiny", **options}
    if "wanted_std_error_nats" not in given:
        given["min_rounds"] = len(windows)
    token_losses = given.pop("token_losses", None) or TokenLosses(model)
    return ablate_context(token_losses, windows, documents=split.documents, num_bytes_by_id=num_bytes_by_id(vocab_size), **given)


def by_loop(model, windows, cuts, *, bos_ids=(), only=None):
    """Sums by (document, cut) of tokens, bytes and losses; the j-th target of a run sees j-1 tokens more than its first."""
    sums = defaultdict(lambda: np.zeros(3))
    context_tokens = windows.context_tokens
    num_targets = targets_per_segment(context_tokens)
    for window in (windows[index] for index in (only or range(len(windows)))):
        for target in range(num_targets):
            at = context_tokens + 1 - num_targets + target  # in the block
            document, token = int(window.document_T[at - 1]), int(window.block[at])
            if not is_scored(document):
                continue
            for column, cut in enumerate(cuts):
                more = target % (cut.context_to - cut.context_from + 1)
                context = window.block[at - cut.context_from - more : at]
                assert len(context) == cut.context_from + more
                loss = loss_of_next(model, [*bos_ids, *context], token)
                sums[document, column] += (1, num_bytes_by_id()[token], loss)
    return sums


def assert_equal(losses, sums, documents, *, atol=1e-9):
    assert set(losses.documents) == {documents[document] for document, _ in sums}
    for (document, column), (num_tokens, num_bytes, loss_sum_nats) in sums.items():
        row = losses.documents.index(documents[document])
        assert losses.num_tokens[row, column] == num_tokens
        assert losses.num_bytes[row, column] == num_bytes
        assert losses.loss_sum_nats[row, column] == pytest.approx(loss_sum_nats, abs=atol)
