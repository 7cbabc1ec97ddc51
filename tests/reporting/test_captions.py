"""The words under the charts."""

from pathlib import Path

import pytest
from synthetic_study import write_synthetic_study

from hf_ctxscale.charts.study_charts import ORDER
from hf_ctxscale.reporting.captions import alternative_text, caption
from hf_ctxscale.reporting.sources import Sources, read_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return read_sources(write_synthetic_study(tmp_path_factory.mktemp("captions")))


@pytest.mark.parametrize("name", ORDER)
def test_every_chart_has_a_caption_with_corpus_tokens_and_seeds_and_a_text_for_who_cannot_see_it(name: str, sources: Sources) -> None:
    assert "python-stdlib, 6M training tokens per model, 1 seed" in caption(name, sources)
    assert "{" not in caption(name, sources)
    assert len(alternative_text(name, sources)) > 40


def test_charts_of_fits_say_what_their_intervals_cover(sources: Sources) -> None:
    assert caption("loss_vs_parameters", sources).endswith("conditional on these trained models (one seed).")
    assert caption("loss_vs_position", sources).endswith("they do not cover what another training seed would change.")
    assert all("fitted law" in caption(name, sources) for name in ("loss_vs_parameters", "loss_vs_position", "loss_vs_flops"))
    assert "ntervals" not in caption("learning_rates", sources)


def test_without_fits_the_intervals_are_those_of_single_losses(tmp_path: Path) -> None:
    sources = read_sources(write_synthetic_study(tmp_path, fits=False))
    assert caption("loss_vs_parameters", sources).endswith("they do not cover what another training seed would change.")
    assert not any("fitted law" in caption(name, sources) for name in ("loss_vs_parameters", "loss_vs_position", "loss_vs_flops"))


def test_the_chart_of_sizes_tells_its_losses_to_who_cannot_see_it(sources: Sources) -> None:
    assert "221K Transformer, 2 layers: 2.880" in alternative_text("loss_vs_parameters", sources)
