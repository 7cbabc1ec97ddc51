"""Fits in words, and as a part of a page."""

from html.parser import HTMLParser
from typing import Any

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.reporting.fits_html import fits_html
from hf_ctxscale.reporting.fits_words import Found, found_in_words
from hf_ctxscale.reporting.sources import Sources, read_sources

ATTACK = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("words"), seeds=(0, 1)))


def with_fits(sources: Sources, **fits: Any) -> Sources:
    return Sources(**(vars(sources) | {"fits": sources.fits | fits}))


def under(sources: Sources, heading: str) -> Found:
    (found,) = (own for own in found_in_words(sources) if own.heading == heading)
    return found


def test_every_claim_is_said_with_its_verdict_number_and_interval(sources: Sources) -> None:
    said = under(sources, "Claims").said
    assert [one.verdict for one in said] == [claim["verdict"] for claim in sources.fits["claims"]]
    assert said[0].text.startswith(sources.fits["claims"][0]["claim"])
    assert "Measured: +0.301 nats [+0.263, +0.339] (95 %)." in said[0].text
    unmeasured = next(claim for claim in sources.fits["claims"] if claim["measured"] is None)
    (one,) = (one for one in said if one.text.startswith(unmeasured["claim"]))
    assert "Measured" not in one.text
    assert f"Why: {unmeasured['reason']}." in one.text


def parameter(value: float | None, low: float | None, high: float | None, reason: str | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "reason": reason}


def test_exponents_have_their_interval_or_the_reason_why_they_have_none(sources: Sources) -> None:
    fit = next(fit for fit in sources.fits["loss_vs_size"] if fit["x"] == "body_params")
    alphas = (
        parameter(0.0745, 0.067, 0.0818),
        parameter(0.0745, None, None, "one document"),
        parameter(None, None, None, "three sizes are too few"),
    )
    fits = [fit | {"params": {"alpha": alpha}, "paper": {"alpha": 0.076}, "label": "the series", "reason": None} for alpha in alphas]
    known, open_ended, unknown = (one.text for one in under(with_fits(sources, loss_vs_size=fits), "Exponents").said)
    assert known.endswith("α = 0.0745 [0.0670, 0.0818]; the paper gives 0.076.")
    assert open_ended.endswith("α = 0.0745 without interval, since one document; the paper gives 0.076.")
    assert unknown.endswith("not identifiable, since three sizes are too few.")


def test_plateaus_name_each_model_under_its_verdict_once(sources: Sources) -> None:
    text = " ".join(one.text for one in under(sources, "Plateaus").said)
    for run_id in {plateau["run_id"] for plateau in sources.fits["plateaus"]}:
        run = next(run for run in sources.runs if run["run_id"] == run_id)
        assert f"seed {run['seed']}" in text


def test_crossovers_are_said_over_body_parameters_alone(sources: Sources) -> None:
    crossings = sources.fits["crossovers"]
    others = [crossings[0] | {"x": "train_flops", "sentence": "over FLOPs"}]
    said = [one.text for one in under(with_fits(sources, crossovers=[*crossings, *others]), "Crossovers").said]
    assert said == [crossing["sentence"] for crossing in crossings]


def test_a_study_without_fits_has_nothing_to_say(sources: Sources) -> None:
    empty = Sources(**(vars(sources) | {"fits": {}}))
    assert found_in_words(empty) == ()
    assert "No claim has been judged yet." in fits_html(empty)


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_words_come_before_tables_which_have_headings_and_captions(sources: Sources) -> None:
    page = fits_html(sources)
    assert page.index("<ul>") < page.index("<table>")
    assert page.count("<details>") >= 3
    assert '<th scope="col"' in page
    assert "<caption>" in page
    assert 'tabindex="0" role="region" aria-label=' in page


def test_markup_in_claims_names_and_reasons_is_text(sources: Sources) -> None:
    claims = [claim | {"claim": ATTACK, "reason": ATTACK, "rule": ATTACK} for claim in sources.fits["claims"]]
    crossings = [crossing | {"sentence": ATTACK, "first_label": ATTACK} for crossing in sources.fits["crossovers"]]
    sizes = [fit | {"label": ATTACK} for fit in sources.fits["loss_vs_size"]]
    found = Tags()
    found.feed(fits_html(with_fits(sources, claims=claims, crossovers=crossings, loss_vs_size=sizes)))
    assert "script" not in found.tags
    assert found.text.count(ATTACK) >= 3 * len(claims)
