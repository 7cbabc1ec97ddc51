"""PerPositionLoss: an evaluate module that turns per-token losses into loss by context position; a thin wrapper of analysis/positions.

Letters: B blocks of a batch, T context positions (position t at index t - 1). One import per line: evaluate parses them.
"""

import math
from typing import Any

import datasets
import evaluate

from hf_ctxscale.analysis.positions import (
    Estimate,
    PositionLosses,
    PositionSums,
    bits_per_byte,
    context_gain,
    in_context_score,
    log_bins,
    loss_curve,
    mean_loss,
)
from hf_ctxscale.study import UserError

from .checked_inputs import checked_confidence, checked_documents, checked_losses, checked_num_bytes

_DESCRIPTION = """
Mean negative log-likelihood in nats at every context position, the prediction at position t being made after t tokens of context:
how well a causal language model uses its context. With document ids, every number has a delete-one-document interval.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: per-token losses in nats, shape (B, T): list of lists, numpy array or torch tensor. Row b is one block of text, column
        t - 1 the loss of the token predicted from t tokens. Every row has the same length, and every loss counts.
    document_ids: optional, B texts or whole numbers; rows with the same id belong to the same document. With ids, intervals are given.
    num_bytes: optional, bytes of each predicted token, whole numbers of shape (B, T). With them, bits per byte are given.
    confidence: of the intervals, between 0 and 1; of compute() only. 0.95 where left out.
Returns:
    mean_loss_nats: mean over all tokens; `_low`, `_high` its interval over documents, `_reason` why it or the interval is None.
    bits_per_byte: the same loss in bits per byte of text; None without num_bytes. `_low`, `_high`, `_reason` as above.
    context_gain_nats: mean over positions 65-128 minus mean over (T/2, T]; None where T < 256. `_low`, `_high`, `_reason` as above.
    in_context_score_nats: mean over positions 481-512 minus 45-55; None where T < 512. `_low`, `_high`, `_reason` as above.
    context_position: 1..T. loss_nats: mean loss at each position. num_tokens: number of losses at each position.
    position_from, position_to: ends of log-spaced bins that cover 1..T once, both included.
    bin_loss_nats: mean over each bin; `_low`, `_high` lists with an interval for each bin by itself, `_reason` why there are none.
    num_blocks: rows. num_documents: different ids, or None without ids. confidence: of the intervals.
Examples:
    >>> import evaluate
    >>> metric = evaluate.load("hf_ctxscale/metrics/per_position_loss")
    >>> metric.add_batch(predictions=[[4.0, 3.0, 2.0], [4.0, 2.0, 1.5]], document_ids=["a", "b"])
    >>> metric.add(prediction=[4.0, 2.5, 1.0], document_id="c")
    >>> results = metric.compute(confidence=0.9)
    >>> results["loss_nats"]
    [4.0, 2.5, 1.5]
    >>> round(results["mean_loss_nats"], 3), results["num_documents"]
    (2.667, 3)
    >>> results["mean_loss_nats_low"] < results["mean_loss_nats"] < results["mean_loss_nats_high"]
    True
    >>> results["context_gain_nats_reason"]
    'the context gain needs a context of 256 tokens or more; this one has 3'
    >>> results = metric.compute(predictions=[[2.0, 1.0]], num_bytes=[[4, 2]])
    >>> round(results["bits_per_byte"], 3)
    0.721
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
        self._given: frozenset[str] = frozenset()  # which of the optional inputs the batches came with
        self._num_blocks = 0

    def _info(self) -> evaluate.MetricInfo:
        inputs = {"predictions": datasets.Sequence(datasets.Value("float64"))}
        ids = {"document_ids": datasets.Value("string")}
        num_bytes = {"num_bytes": datasets.Sequence(datasets.Value("int64"))}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=[datasets.Features({**inputs, **optional}) for optional in (ids, {**ids, **num_bytes}, num_bytes, {})],
            reference_urls=["https://arxiv.org/abs/2001.08361"],
        )

    def __len__(self) -> int:
        """Number of blocks added since the last compute."""
        return self._num_blocks

    def add_batch(self, *, predictions: Any, document_ids: Any = None, num_bytes: Any = None, references: None = None) -> None:
        """Adds a batch of blocks to the sums; all of it or, where something is wrong, nothing.

        Raises:
            UserError: the losses are not (B, T), not finite or negative, T is another one than before, or ids or bytes do not match them.
        """
        if references is not None:
            raise UserError("references were given; this metric needs only predictions (per-token losses), document_ids and num_bytes.")
        losses_BT = checked_losses(predictions)
        num_blocks, context_tokens = losses_BT.shape
        documents = [""] * num_blocks if document_ids is None else checked_documents(document_ids, num_blocks=num_blocks)
        num_bytes_BT = None if num_bytes is None else checked_num_bytes(num_bytes, shape=(num_blocks, context_tokens))
        if self._sums is not None and context_tokens != self._sums.context_tokens:
            raise UserError(
                f"predictions have {context_tokens} losses per row, those added before {self._sums.context_tokens}; give every block the "
                "same length, or call compute() before you change it."
            )
        given = _names_of_given(document_ids=document_ids, num_bytes=num_bytes)
        if self._num_blocks and given != self._given:
            some = " and ".join(sorted(given ^ self._given))
            raise UserError(f"{some} were given for some batches only; give them for every batch or for none.")

        sums = self._sums or PositionSums(context_tokens)
        sums.add(losses_BT, documents=documents, num_bytes_BT=num_bytes_BT)
        self._sums, self._given = sums, given
        self._num_blocks += num_blocks

    def add(self, *, prediction: Any, document_id: Any = None, num_bytes: Any = None, reference: None = None) -> None:
        """Adds one block, T losses and as many numbers of bytes, to the sums.

        Raises:
            UserError: as for `add_batch`.
        """
        document_ids, bytes_of_block = (None if value is None else [value] for value in (document_id, num_bytes))
        self.add_batch(predictions=[prediction], document_ids=document_ids, num_bytes=bytes_of_block, references=reference)

    def compute(
        self, *, predictions: Any = None, document_ids: Any = None, num_bytes: Any = None, references: None = None, confidence: float = 0.95
    ) -> dict[str, Any]:
        """Adds what is given, returns the results over all that was added, and starts afresh.

        Raises:
            UserError: as for `add_batch`, or nothing was added, or the confidence does not lie between 0 and 1.
        """
        # First, so that a wrong confidence does not cost what was added before.
        confidence = checked_confidence(confidence)
        if predictions is not None:
            self.add_batch(predictions=predictions, document_ids=document_ids, num_bytes=num_bytes, references=references)
        elif given := _names_of_given(document_ids=document_ids, num_bytes=num_bytes):
            raise UserError(f"{' and '.join(sorted(given))} were given without predictions; give both, or neither after add_batch().")
        if self._sums is None or not self._num_blocks:
            raise UserError("there are no losses to compute from; pass predictions, or call add_batch() first.")
        losses, given, num_blocks = self._sums.result(), self._given, self._num_blocks
        self._reset()
        has_documents = "document_ids" in given
        return {
            **_results(losses, has_documents=has_documents, has_bytes="num_bytes" in given, confidence=confidence),
            "num_blocks": num_blocks,
            "num_documents": len(losses.documents) if has_documents else None,
            "confidence": confidence,
        }


def _names_of_given(**inputs: Any) -> frozenset[str]:
    return frozenset(name for name, value in inputs.items() if value is not None)


def _results(losses: PositionLosses, *, has_documents: bool, has_bytes: bool, confidence: float) -> dict[str, Any]:
    """Every statistic of the sums. No key is called `loss`: the Trainer would take it for its own eval_loss."""
    results: dict[str, Any] = {}
    for name, estimate in (
        ("mean_loss_nats", mean_loss(losses, confidence=confidence)),
        ("bits_per_byte", bits_per_byte(losses, confidence=confidence)),
        ("context_gain_nats", context_gain(losses, confidence=confidence)),
        ("in_context_score_nats", in_context_score(losses, confidence=confidence)),
    ):
        results |= _named(name, estimate, has_documents=has_documents)
    if not has_bytes:
        results["bits_per_byte_reason"] = "no num_bytes were given: the number of bytes per token is not known"

    bins = log_bins(losses.context_tokens)
    named_bins = [
        _named("bin_loss_nats", mean_loss(losses, positions=positions, confidence=confidence), has_documents=has_documents)
        for positions in bins
    ]
    # Every loss of a block counts, so all bins have the same documents: what prevents one interval prevents all.
    reason = named_bins[0].pop("bin_loss_nats_reason")
    return {
        **results,
        "context_position": list(range(1, losses.context_tokens + 1)),
        "loss_nats": loss_curve(losses).tolist(),
        "num_tokens": losses.num_tokens.sum(axis=0).tolist(),
        "position_from": [first for first, _ in bins],
        "position_to": [last for _, last in bins],
        **{key: [named[key] for named in named_bins] for key in named_bins[0]},
        "bin_loss_nats_reason": reason,
    }


def _named(name: str, estimate: Estimate, *, has_documents: bool) -> dict[str, Any]:
    """An estimate as entries of the results; None where a number is not defined."""
    reason = estimate.reason
    if not has_documents and math.isfinite(estimate.value):
        reason = "no document_ids were given: no interval is possible"
    values = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {**{key: value if math.isfinite(value) else None for key, value in values.items()}, f"{name}_reason": reason}
