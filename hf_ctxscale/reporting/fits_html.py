"""fits_html: claims, exponents, crossovers and plateaus as a part of a page, in words first and then in tables; plain HTML, all of it escaped."""

from hf_ctxscale.reporting.fits_words import found_in_words
from hf_ctxscale.reporting.render import render
from hf_ctxscale.reporting.sections import result_sections
from hf_ctxscale.reporting.sources import Sources
from hf_ctxscale.reporting.words import fits_interval_sentence, verdict_sentence


def fits_html(sources: Sources) -> str:
    """Everything that was found, for a page that brings the style of its own and says the result above it."""
    return render(
        "fits.html.j2",
        verdicts=verdict_sentence(sources),
        intervals=fits_interval_sentence(sources),
        found=found_in_words(sources),
        sections=result_sections(sources),
    )
