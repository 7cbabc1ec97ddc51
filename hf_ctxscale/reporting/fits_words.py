"""found_in_words: what a study's fits say, as sentences under headings: claims, exponents, crossovers and plateaus, each with its interval."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_ctxscale.reporting.claim_tables import axis_name, claims_table, model_name
from hf_ctxscale.reporting.law_names import AXES, FORMS
from hf_ctxscale.reporting.numbers import MISSING, significant
from hf_ctxscale.reporting.sources import Sources

PLATEAUS = {
    "plateau": "The loss levels off within the context",
    "power law": "The loss goes on falling along the whole context, as a power law",
    "undecided": "Whether the loss levels off or goes on falling is undecided",
}


@dataclass(frozen=True)
class Said:
    """One sentence with what it comes to.

    Attributes:
        verdict: a word in front; empty: none.
        kind: of the verdict, as tables name it; empty: none.
    """

    text: str
    verdict: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Found:
    """Sentences under a heading, and one above them that says how to read them."""

    heading: str
    words: str
    said: tuple[Said, ...]


def found_in_words(sources: Sources) -> tuple[Found, ...]:
    """Claims, exponents, crossovers and plateaus; those of which the study has none are left out."""
    found = (
        Found(
            "Claims", "Each is judged by a rule on its interval, corrected for their number; the table names the rules.", _claims(sources)
        ),
        Found(
            "Exponents",
            f"How fast the loss falls with {axis_name('body_params', sources)} N: as N to the power −α. "
            "A value that the data do not pin down is not identifiable, and the reason stands with it.",
            _exponents(sources),
        ),
        Found("Crossovers", "Where one series overtakes another, inside the range that both were measured in.", _crossovers(sources)),
        Found("Plateaus", "Of each model's loss along its context, judged on documents that the fits had not seen.", _plateaus(sources)),
    )
    return tuple(own for own in found if own.said)


def _claims(sources: Sources) -> tuple[Said, ...]:
    """Every claim with its measured value and interval, or why there is none."""
    table = claims_table(sources)
    said = []
    for row in table.rows:
        cells = dict(zip(table.headings, row.cells, strict=True))
        parts = [cells["claim"]]
        if cells["measured"] != MISSING:
            limits = "" if cells["interval"] == MISSING else f" {cells['interval']}"
            parts.append(f"Measured: {cells['measured']}{limits}.")
        if cells["why"] != MISSING:
            parts.append(f"Why: {cells['why']}.")
        said.append(Said(" ".join(parts), cells["verdict"], row.kind))
    return tuple(said)


def _exponents(sources: Sources) -> tuple[Said, ...]:
    fits = [fit for fit in sources.fits.get("loss_vs_size") or () if fit["x"] == next(iter(AXES))]
    return tuple(_exponent(fit) for fit in fits if "alpha" in fit["params"])


def _exponent(fit: Mapping[str, Any]) -> Said:
    name, form, alpha = fit["label"] or fit["series"], FORMS.get(fit["form"], fit["form"]), fit["params"]["alpha"]
    if alpha["value"] is None:
        reason = alpha["reason"] or fit["reason"]
        why = f", since {reason}" if reason else ""
        return Said(f"{name}, {form}: not identifiable{why}.", kind="no-answer")
    open_ends = alpha["low"] is None or alpha["high"] is None
    why = f", since {alpha['reason']}" if alpha["reason"] else ""
    limits = f"without interval{why}" if open_ends else _limits(alpha)
    paper = (fit.get("paper") or {}).get("alpha")
    beside = f"; the paper gives {significant(paper, digits=2)}" if paper is not None else ""
    return Said(f"{name}, {form}: α = {significant(alpha['value'])} {limits}{beside}.")


def _limits(parameter: Mapping[str, Any]) -> str:
    return f"[{significant(parameter['low'])}, {significant(parameter['high'])}]"


def _crossovers(sources: Sources) -> tuple[Said, ...]:
    crossings = [crossing for crossing in sources.fits.get("crossovers") or () if crossing["x"] == next(iter(AXES))]
    return tuple(Said(crossing["sentence"]) for crossing in crossings)


def _plateaus(sources: Sources) -> tuple[Said, ...]:
    """The models of each verdict; of those without one the reasons stand in the table."""
    models: dict[str, list[str]] = defaultdict(list)
    for plateau in sources.fits.get("plateaus") or ():
        models[plateau["verdict"]].append(model_name(sources, plateau["run_id"]))
    return tuple(Said(f"{words}: {_listed(models[verdict])}.") for verdict, words in PLATEAUS.items() if models[verdict])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])} and {parts[-1]}"
