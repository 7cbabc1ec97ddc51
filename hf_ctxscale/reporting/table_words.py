"""table_sentence: the result of a table of numbers from elsewhere, in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from hf_ctxscale.reporting.numbers import counted, significant
from hf_ctxscale.reporting.sources import Sources

Fit = Mapping[str, Any]

MOST_NAMED = 5  # series in the sentence
# Kind of fit -> what it is of and the exponents that say the most, by form, the first of which is taken where it was identified.
EXPONENTS = {
    "loss_vs_size_and_data": ("size and data", (("E + A*N^-alpha + B*D^-beta", ("alpha", "beta")),)),
    "loss_vs_size": ("size", (("E + A*N^-alpha", ("alpha",)), ("(N_c/N)^alpha", ("alpha",)))),
    "loss_vs_position": ("context position", (("L_inf + A*t^-alpha", ("alpha",)),)),
}


def table_sentence(sources: Sources) -> str:
    """How loss falls with what the table gives, for each of its series."""
    kind = next((kind for kind in EXPONENTS if sources.fits.get(kind)), None)
    if kind is None:
        return f"Nothing of {sources.corpus_name} has been fitted."
    against, choices = EXPONENTS[kind]
    by_series: dict[str, list[Fit]] = {}
    for fit in sources.fits[kind]:
        by_series.setdefault(str(fit["label"]), []).append(fit)
    num_points = sum(len(own[0]["points"]) for own in by_series.values())
    start = f"In {sources.corpus_name}, {counted(num_points, 'point')} of loss against {against}"
    if len(by_series) > MOST_NAMED:
        return f"{start} in {len(by_series)} series; the tables of fits hold the numbers of each."
    return f"{start}: {'; '.join(_series_words(label, own, choices, alone=len(by_series) == 1) for label, own in by_series.items())}."


def _series_words(label: str, fits: Sequence[Fit], choices: Sequence[tuple[str, Sequence[str]]], *, alone: bool) -> str:
    """``ours, E + A*N^-alpha with alpha 0.340 [0.306, 0.374]``, of the first form whose exponents are known."""
    by_form = {fit["form"]: fit for fit in fits}
    name = "" if alone else f"{label}, "
    for form, exponents in choices:
        params = by_form[form]["params"] if form in by_form else {}
        if all(params.get(exponent, {}).get("value") is not None for exponent in exponents):
            return f"{name}{form} with {' and '.join(_parameter(exponent, params[exponent]) for exponent in exponents)}"
    return f"{name}no exponent is identifiable"


def _parameter(name: str, parameter: Fit) -> str:
    limits = (
        "" if None in (parameter["low"], parameter["high"]) else f" [{significant(parameter['low'])}, {significant(parameter['high'])}]"
    )
    return f"{name} {significant(parameter['value'])}{limits}"
