"""What validation over training shows, in sentences: when a model's loss began to depend on what stands far back in the context."""

from collections.abc import Sequence
from dataclasses import dataclass

from hf_ctxscale.analysis.claims_of_context import EARLY
from hf_ctxscale.analysis.estimates import Estimate
from hf_ctxscale.analysis.positions import last_octave
from hf_ctxscale.analysis.training_curves import clear_from
from hf_ctxscale.reporting.claim_tables import positions
from hf_ctxscale.reporting.numbers import estimate, percent
from hf_ctxscale.study import size_label


@dataclass(frozen=True)
class GapHistory:
    """One run's gap between early and late positions over training.

    Attributes:
        name: what the run is called.
        tokens: trained on at each validation.
        gaps: early minus late, in nats, at each of them.
        since: number of training tokens after which the growth is counted; None where there was one validation only.
        growth: of the gap from then to the end, of the same targets.
        fallen: the share that the mean loss had made of its fall from the first validation to the last by then.
    """

    name: str
    tokens: tuple[int, ...]
    gaps: tuple[Estimate, ...]
    since: int | None
    growth: Estimate | None
    fallen: float | None


def gap_sentences(histories: Sequence[GapHistory], *, context_tokens: int) -> tuple[str, ...]:
    """What these runs show of when long-range use is learned: whose gap still grew late, then each run by itself."""
    early, late = positions(*EARLY), positions(*last_octave(context_tokens))
    return (*_learned_late(histories), *(_run_sentence(history, early=early, late=late) for history in histories))


def _learned_late(histories: Sequence[GapHistory]) -> tuple[str, ...]:
    """Which of the gaps are known to have grown after the middle of training."""
    known = [history for history in histories if history.growth is not None and history.growth.has_interval]
    if not known:
        return ()
    grew = [history.name for history in known if history.growth is not None and history.growth.low > 0]
    if not grew:
        return (
            "Long-range use is said to be learned late; for no model shown here is it decided that its gap still grew late in training.",
        )
    others = "" if len(grew) == len(known) else " For the others shown here that is not decided."
    return (
        f"Long-range use was learned late by {_listed(grew)}: the gap between early and late positions still grew late in training.{others}",
    )


def _run_sentence(history: GapHistory, *, early: str, late: str) -> str:
    end = history.gaps[-1]
    said = f"{history.name}: at the end of training, loss at positions {early} minus loss at {late} is {estimate(*_numbers(end), signed=True)} nats"
    if not end.has_interval:
        said += f" ({end.reason})"
    else:
        place = clear_from(history.gaps)
        if place is None:
            side = "lies below 0" if end.high < 0 else "holds 0"
            said += f"; its interval {side}, so that a gain from context is not shown by these targets alone"
        elif place == 0:
            said += "; its interval lies above 0 from the first validation on"
        else:
            share = percent(history.tokens[place] / history.tokens[-1], decimals=0)
            said += f"; its interval lies above 0 from {size_label(history.tokens[place])} training tokens on ({share} of its training)"
    return f"{said}.{_growth_sentence(history)}"


def _growth_sentence(history: GapHistory) -> str:
    growth = history.growth
    if history.since is None or growth is None:
        return ""
    by_then = (
        ""
        if history.fallen is None
        else f", when the mean loss had made {percent(history.fallen, decimals=0)} of its fall since the first validation"
    )
    return f" From {size_label(history.since)} tokens on{by_then}, the gap changed by {estimate(*_numbers(growth), signed=True)} nats on the same targets."


def _numbers(measured: Estimate) -> tuple[float, float | None, float | None]:
    return (measured.value, measured.low, measured.high) if measured.has_interval else (measured.value, None, None)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
