"""The claims of the figure, each put to a study: a measured value, an interval, a p value, a rule and a verdict."""

import math
from dataclasses import dataclass, replace
from typing import Any

from hf_ctxscale.analysis.claim_questions import Kind, Losses, Question
from hf_ctxscale.analysis.claims_of_context import context_questions
from hf_ctxscale.analysis.claims_of_exponents import exponent_questions
from hf_ctxscale.analysis.claims_of_size import size_questions
from hf_ctxscale.analysis.estimates import Estimate, no_estimate
from hf_ctxscale.analysis.holm import holm
from hf_ctxscale.analysis.ladder import Cell, Ladder, UntestableError
from hf_ctxscale.analysis.measured import Measured
from hf_ctxscale.analysis.replicates import Replicates, percentile_estimate
from hf_ctxscale.analysis.verdicts import SIGNIFICANCE, Rule, Verdict

ONE_SEED = "one seed: this interval is conditional on these trained models, and another seed may change it"
THESE_MODELS = "one seed: said of these trained models alone"


@dataclass(frozen=True)
class Claim:
    """A sentence about the figure and what a study says of it."""

    id: str
    claim: str
    kind: Kind
    measured: Estimate  # NaN where the claim could not be tested
    unit: str
    rule: Rule
    verdict: Verdict
    reason: str | None  # why it is undecided, where that is not for the interval alone; or what the verdict is limited to
    runs: Cell  # what the value rests on
    paper: float | None  # the paper's value of the same quantity
    p_value: float | None = None  # None: it could not be tested
    p_adjusted: float | None = None

    def entry(self) -> dict[str, Any]:
        """What results/fits.json holds of it."""
        measured = self.measured
        tokens = [run.record.train_tokens for run in self.runs]
        return {
            "id": self.id,
            "claim": self.claim,
            "kind": self.kind,
            "measured": _number(measured.value),
            "unit": self.unit,
            "low": _number(measured.low),
            "high": _number(measured.high),
            "confidence": measured.confidence,
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "paper": self.paper,
            "rule": self.rule.sentence,
            "verdict": self.verdict,
            "reason": self.reason,
            "num_documents": measured.num_documents,
            "num_runs": len(self.runs),
            "seeds": sorted({run.record.seed for run in self.runs}),
            "run_ids": [run.record.run_id for run in self.runs],
            "train_tokens": [min(tokens), max(tokens)] if tokens else None,
        }


def judge_claims(measured: Measured, replicates: Replicates) -> tuple[Claim, ...]:
    """Puts every claim to the study: first loss against size, then loss against context, then the exponents.

    A claim that the study cannot test comes back undecided, with the reason. Seeds are averaged; differences are paired by document. A
    verdict stands where the interval decides by the rule and p stays small enough after Holm's correction for all claims that were tested.

    Args:
        measured: the runs at their full budget.
        replicates: of these runs, or of these and others.
    """
    losses = Losses(Ladder(measured), replicates.only(measured))
    questions = [*size_questions(losses), *context_questions(losses), *exponent_questions(losses)]
    claims = [_judge(question, losses) for question in questions]
    tested = [place for place, claim in enumerate(claims) if claim.p_value is not None]
    adjusted = holm([claims[place].p_value or 0.0 for place in tested])
    for place, p_adjusted in zip(tested, adjusted, strict=True):
        claims[place] = _corrected(claims[place], p_adjusted, num_tested=len(tested), replicates=losses.replicates)
    return tuple(claims)


def _judge(question: Question, losses: Losses) -> Claim:
    """The claim by its interval alone."""
    num_documents = len(losses.ladder.measured.documents)

    def claim(measured: Estimate, verdict: Verdict, reason: str | None, runs: Cell = ()) -> Claim:
        return Claim(
            question.id, question.claim, question.kind, measured, question.unit, question.rule, verdict, reason, runs, question.paper
        )

    try:
        values_R, runs = question.measure()
    except UntestableError as error:
        why = str(error)
        return claim(no_estimate(why, confidence=question.rule.confidence, num_documents=num_documents), "undecided", why)
    estimate = percentile_estimate(values_R, confidence=question.rule.confidence, num_documents=num_documents)
    verdict, reason = question.rule.judge(estimate)
    if reason is None and question.kind != "gain" and losses.replicates.covers == "documents":
        reason = ONE_SEED
    if reason:
        return claim(estimate, "undecided", reason, runs)
    return replace(claim(estimate, verdict, None, runs), p_value=question.rule.p_value(values_R[1:]))


def _corrected(claim: Claim, p_adjusted: float, *, num_tested: int, replicates: Replicates) -> Claim:
    """The claim with Holm's correction, which takes a verdict back where the list is too long for it."""
    claim = replace(claim, p_adjusted=p_adjusted)
    if claim.verdict == "undecided":
        return claim
    if p_adjusted > SIGNIFICANCE:
        reason = f"the interval alone says {claim.verdict}, but among {num_tested} claims p is {p_adjusted:.2g} after Holm's correction"
        return replace(claim, verdict="undecided", reason=reason)
    return replace(claim, reason=THESE_MODELS) if replicates.covers == "documents" else claim


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
