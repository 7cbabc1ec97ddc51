"""Scored: one score with everything that was measured of it, opened from its folder; and whether two are of the same text."""

from dataclasses import dataclass

import numpy as np

from hf_ctxscale.analysis.byte_bins import BYTE_BINS
from hf_ctxscale.analysis.condensed import open_losses
from hf_ctxscale.analysis.sums import PositionLosses, load_losses
from hf_ctxscale.records import ScoreRecord
from hf_ctxscale.study import Study, UserError


@dataclass(frozen=True)
class Scored:
    """One model's losses on one corpus.

    Attributes:
        record: the model, the text and how it was measured.
        losses: a column per context position.
        by_bytes: a column per bin of byte_bins.BYTE_BINS; None where it was not measured (bytes not known, or an older version).
        ablation: a column per cut of ``record.ablation.cuts``; None where no ablation was made.
    """

    record: ScoreRecord
    losses: PositionLosses
    by_bytes: PositionLosses | None = None
    ablation: PositionLosses | None = None

    @property
    def cuts(self) -> tuple[int, ...]:
        """Tokens of context of each column of the ablation; empty where there is none."""
        return tuple(cut.context_tokens for cut in self.record.ablation.cuts) if self.record.ablation else ()


def load_scored(study: Study, score_id: str) -> Scored:
    """Opens a score.

    Raises:
        UserError: there is no such score, or a file of it is missing or does not fit its record.
    """
    path = study.score_file(score_id)
    if not path.is_file():
        known = ", ".join(score.score_id for score in study.score_records()) or "none"
        raise UserError(f"{study.folder} holds no score {score_id!r} (it holds: {known}); make it with `hf-ctxscale score`.")
    record = ScoreRecord.model_validate_json(path.read_text(encoding="utf-8"))
    by_bytes, ablation = study.byte_losses_file(score_id), study.ablation_file(score_id)
    scored = Scored(
        record,
        open_losses(study, score_id),
        load_losses(by_bytes) if by_bytes.is_file() else None,
        load_losses(ablation) if record.ablation else None,
    )
    for losses, wanted, file, kind in (
        (scored.by_bytes, len(BYTE_BINS), by_bytes, "bins of bytes"),
        (scored.ablation, len(scored.cuts), ablation, "cuts of the context"),
    ):
        if losses is not None and losses.context_tokens != wanted:
            raise UserError(f"{file} holds {losses.context_tokens} {kind}, not {wanted}; remove {path.parent} and score the model again.")
    return scored


def one_tokenizer(a: Scored, b: Scored) -> bool:
    """Whether both models read the text as the same tokens."""
    # The tokens' fingerprint covers the tokenizer that made them; scores of a study's own runs record no other.
    if a.record.tokens_fingerprint == b.record.tokens_fingerprint:
        return True
    return a.record.tokenizer_fingerprint is not None and a.record.tokenizer_fingerprint == b.record.tokenizer_fingerprint


def check_same_text(a: Scored, b: Scored) -> None:
    """Checks that two scores are of the same documents and windows, and with one tokenizer of the same tokens.

    Raises:
        UserError: they are not.
    """
    names = ["corpus", "split", "windows"]
    if a.record.windows == b.record.windows == "within":
        names += ["windows_seed", "max_windows_per_document"]
    if one_tokenizer(a, b):
        names.append("context_tokens")
    for name in names:
        of_a, of_b = getattr(a.record, name), getattr(b.record, name)
        if of_a != of_b:
            raise UserError(
                f"{name_beside(a, b)} and {name_beside(b, a)} were not measured on the same text: {name} is {of_a!r} for one and {of_b!r} for the other; "
                "score both in one call of `hf-ctxscale score`."
            )
    other = b.losses.aligned_to(a.losses.documents)
    same = [np.array_equal(getattr(a.losses, name), getattr(other, name)) for name in ("num_tokens", "num_bytes")]
    if one_tokenizer(a, b) and not all(same):
        raise UserError(
            f"{name_beside(a, b)} and {name_beside(b, a)} were measured on the same documents but on other tokens of them; "
            "score both in one call of `hf-ctxscale score`."
        )


def name_beside(scored: Scored, other: Scored) -> str:
    """The model, or the score where both are of one model."""
    return scored.record.model if scored.record.model != other.record.model else scored.record.score_id
