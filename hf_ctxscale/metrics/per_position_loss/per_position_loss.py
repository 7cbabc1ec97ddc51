"""PerPositionLoss: an evaluate module that turns per-token losses into loss by context position; a thin wrapper of analysis/positions.

Letters: B blocks of a batch, T context positions (position t at index t - 1). One import per line: evaluate parses them.
"""

import math
from collections.abc import Iterable
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_ctxscale.analysis.positions import Estimate, PositionSums, context_gain, loss_curve, mean_loss
from hf_ctxscale.study import UserError

# Rounding in half precision may leave the loss of a certain token a little under zero.
LOWEST_LOSS_NATS = -0.1
_NEEDED = "give per-token losses of shape (B, T), unreduced, as of cross_entropy(..., reduction='none')"

_DESCRIPTION = """
Mean negative log-likelihood in nats at every context position, the prediction at position t being made after t tokens of context:
how well a causal language model uses its context. With document ids, means and the context gain have delete-one-document intervals.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: per-token losses in nats, shape (B, T): list of lists, numpy array or torch tensor. Row b is one block of text, column
        t - 1 the loss of the token predicted from t tokens. Every row has the same length, and every loss counts.
    document_ids: optional, B texts or whole numbers; rows with the same id belong to the same document. With ids, intervals are given.
Returns:
    mean_loss_nats: mean over all tokens; `_low`, `_high` its 95 % interval over documents, `_reason` why there is none.
    context_position: 1..T.
    loss_nats: mean loss at each position.
    num_tokens: number of losses at each position.
    context_gain_nats: mean over positions 65-128 minus mean over (T/2, T]; `_low`, `_high`, `_reason` as above. None where T < 256.
    num_blocks: rows. num_documents: different ids, or None without ids. confidence: of the intervals.
Examples:
    >>> import evaluate
    >>> metric = evaluate.load("hf_ctxscale/metrics/per_position_loss")
    >>> metric.add_batch(predictions=[[4.0, 3.0, 2.0], [4.0, 2.0, 1.5]], document_ids=["a", "b"])
    >>> metric.add(prediction=[4.0, 2.5, 1.0], document_id="c")
    >>> results = metric.compute()
    >>> results["loss_nats"]
    [4.0, 2.5, 1.5]
    >>> round(results["mean_loss_nats"], 3), results["num_documents"]
    (2.667, 3)
    >>> results["context_gain_nats_reason"]
    'the context gain needs a context of 256 tokens or more; this one has 3'
"""

_CITATION = r"""
@article{kaplan2020scaling,
  title={Scaling Laws for Neural Language Models},
  author={Kaplan, Jared and McCandlish, Sam and Henighan, Tom and Brown, Tom B. and Chess, Benjamin and Child, Rewon and Gray, Scott and
          Radford, Alec and Wu, Jeffrey and Amodei, Dario},
  journal={arXiv preprint arXiv:2001.08361},
  year={2020}
}
@software{hf_ctxscale,
  title={hf-ctxscale: how well does a language model use its context, and how does that change with scale and architecture?},
  author={The hf-ctxscale authors},
  note={Python package, metric per\_position\_loss}
}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class PerPositionLoss(evaluate.Metric):
    """Keeps running sums in float64 instead of rows: no Arrow file is written, and memory does not grow with the number of batches."""

    def __init__(self, *args: Any, num_process: int = 1, **kwargs: Any) -> None:
        if num_process != 1:
            raise UserError(
                f"num_process={num_process}; this metric keeps its sums in one process. Leave num_process out and gather the losses first: "
                "metric.add_batch(predictions=accelerator.gather_for_metrics(losses))."
            )
        super().__init__(*args, num_process=num_process, **kwargs)
        self._reset()

    def _reset(self) -> None:
        self._sums: PositionSums | None = None
        self._has_documents = False
        self._num_blocks = 0

    def _info(self) -> evaluate.MetricInfo:
        losses = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=[
                datasets.Features({"predictions": losses, "document_ids": datasets.Value("string")}),
                datasets.Features({"predictions": losses}),
            ],
            reference_urls=["https://arxiv.org/abs/2001.08361"],
        )

    def __len__(self) -> int:
        """Number of blocks added since the last compute."""
        return self._num_blocks

    def add_batch(self, *, predictions: Any, document_ids: Any = None, references: None = None) -> None:
        """Adds a batch of blocks to the sums; all of it or, where something is wrong, nothing.

        Raises:
            UserError: the losses are not (B, T), not finite or negative, T is another one than before, or ids do not match the rows.
        """
        if references is not None:
            raise UserError("references were given; this metric needs only predictions (per-token losses) and document_ids.")
        losses_BT = _checked_losses(predictions)
        num_blocks, context_tokens = losses_BT.shape
        documents = None if document_ids is None else _checked_documents(document_ids, num_blocks=num_blocks)
        if self._sums is not None and context_tokens != self._sums.context_tokens:
            raise UserError(
                f"predictions have {context_tokens} losses per row, those added before {self._sums.context_tokens}; give every block the "
                "same length, or call compute() before you change it."
            )
        if self._num_blocks and self._has_documents != (documents is not None):
            raise UserError("document_ids were given for some batches only; give them for every batch or for none.")

        sums = self._sums or PositionSums(context_tokens)
        sums.add(losses_BT, documents=[""] * num_blocks if documents is None else documents)
        self._sums, self._has_documents = sums, documents is not None
        self._num_blocks += num_blocks

    def add(self, *, prediction: Any, document_id: Any = None, reference: None = None) -> None:
        """Adds one block, T losses, to the sums.

        Raises:
            UserError: as for `add_batch`.
        """
        self.add_batch(predictions=[prediction], document_ids=None if document_id is None else [document_id], references=reference)

    def compute(self, *, predictions: Any = None, document_ids: Any = None, references: None = None) -> dict[str, Any]:
        """Adds what is given, returns the results over all that was added, and starts afresh.

        Raises:
            UserError: as for `add_batch`, or nothing was added.
        """
        if predictions is not None:
            self.add_batch(predictions=predictions, document_ids=document_ids, references=references)
        elif document_ids is not None:
            raise UserError("document_ids were given without predictions; give both, or neither after add_batch().")
        if self._sums is None or not self._num_blocks:
            raise UserError("there are no losses to compute from; pass predictions, or call add_batch() first.")
        losses = self._sums.result()
        has_documents, num_blocks = self._has_documents, self._num_blocks
        self._reset()
        mean = mean_loss(losses)
        # No key is called `loss`: the Trainer would take it for its own eval_loss.
        return {
            **_named("mean_loss_nats", mean, has_documents=has_documents),
            "context_position": list(range(1, losses.context_tokens + 1)),
            "loss_nats": loss_curve(losses).tolist(),
            "num_tokens": losses.num_tokens.sum(axis=0).tolist(),
            **_named("context_gain_nats", context_gain(losses), has_documents=has_documents),
            "num_blocks": num_blocks,
            "num_documents": len(losses.documents) if has_documents else None,
            "confidence": mean.confidence,
        }


def _named(name: str, estimate: Estimate, *, has_documents: bool) -> dict[str, Any]:
    """An estimate as entries of the results; None where a number is not defined."""
    reason = estimate.reason
    if not has_documents and math.isfinite(estimate.value):
        reason = "no document_ids were given: no interval is possible"
    values = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {**{key: value if math.isfinite(value) else None for key, value in values.items()}, f"{name}_reason": reason}


def _checked_losses(predictions: Any) -> np.ndarray:
    """Per-token losses as (B, T) float64.

    Raises:
        UserError: they are not such losses.
    """
    # A list goes row by row (so does an array of lists), so that it may hold tensors and a row of another length can be named.
    is_array = hasattr(predictions, "ndim") and getattr(getattr(predictions, "dtype", None), "kind", None) != "O"
    losses: np.ndarray
    if isinstance(predictions, Iterable) and not isinstance(predictions, str) and not is_array:
        rows = [_as_float64(row) for row in predictions]
        for number, row in enumerate(rows):
            if row.shape != rows[0].shape:
                raise UserError(
                    f"predictions[{number}] has length {row.size}, predictions[0] has length {rows[0].size}; every row needs the same. "
                    "Leave partial blocks out."
                )
        losses = np.stack(rows) if rows else np.zeros(0)
    else:
        losses = _as_float64(predictions)

    if losses.ndim != 2 or losses.shape[1] == 0:
        given = f"the single number {losses:g}" if losses.ndim == 0 else f"of shape {losses.shape}"
        raise UserError(f"predictions are {given}; {_NEEDED}.")
    _refuse_where(~np.isfinite(losses), losses, "look for an overflow in the logits (compute them in float32), or leave that row out")
    _refuse_where(losses < LOWEST_LOSS_NATS, losses, "a negative log-likelihood is not negative: change the sign of log-probabilities")
    return losses


def _as_float64(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        # Upcast before numpy sees it, which has no bfloat16; on the CPU, since not every device has float64.
        value = value.detach().cpu().double().numpy()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "fiu":
        raise UserError(f"predictions hold something other than numbers; {_NEEDED}.")
    return array.astype(np.float64)


def _refuse_where(bad_BT: np.ndarray, losses_BT: np.ndarray, remedy: str) -> None:
    if bad_BT.any():
        row, index = np.argwhere(bad_BT)[0]
        raise UserError(f"predictions[{row}] at context position {index + 1} is {losses_BT[row, index]:g}; {remedy}.")


def _checked_documents(document_ids: Any, *, num_blocks: int) -> list[str]:
    """One id for each row.

    Raises:
        UserError: ids are not texts or whole numbers, or their number is another one.
    """
    ids = document_ids.tolist() if hasattr(document_ids, "tolist") else document_ids
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise UserError(f"document_ids is the single value {ids!r}; give a list with one id for each of the {num_blocks} rows.")
    ids = list(ids)
    if len(ids) != num_blocks:
        raise UserError(f"there are {len(ids)} document_ids for {num_blocks} rows of predictions; give one for each row.")
    for row, document in enumerate(ids):
        # Missing ids and NaN would all become one document.
        if isinstance(document, bool) or not isinstance(document, (str, int, np.integer)):
            raise UserError(f"document_ids[{row}] is {document!r}; an id is a text or a whole number.")
    return [str(document) for document in ids]
