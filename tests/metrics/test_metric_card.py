"""The metric's card and docstring: their examples run, and they name what there is."""

import doctest
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from hf_ctxscale.metrics import per_position_loss

FOLDER = Path(per_position_loss.__file__).parent
ROOT = FOLDER.parents[2]


def test_the_examples_of_the_docstring_run(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = doctest.testmod(sys.modules[type(metric).__module__], raise_on_error=False)
    assert results.attempted >= 9
    assert results.failed == 0


@pytest.mark.usefixtures("evaluate_offline")
def test_the_examples_of_the_card_run() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    examples = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", str(FOLDER / "README.md"), 0)
    assert len(test.examples) == card.count("\n>>> ") >= 12
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_card_has_the_front_matter_of_a_metric() -> None:
    from huggingface_hub import RepoCard

    card = RepoCard.load(FOLDER / "README.md")
    assert card.data.title == "Per-Position Loss"
    assert card.data.sdk == "gradio"
    assert (FOLDER / card.data.app_file).is_file()
    assert card.data.emoji
    assert {"evaluate", "metric"} <= set(card.data.tags)
    for heading in ("Metric Description", "How to Use", "Inputs", "Output Values", "Limitations and Bias", "Citation"):
        assert re.search(rf"^##+ {heading}$", card.text, flags=re.MULTILINE), heading
    assert "lower is better" in card.text
    assert "larger means more use" in card.text


def test_evaluate_finds_every_import_of_the_module(evaluate_offline: Any) -> None:
    found = {name for _, name, _, _ in evaluate_offline.loading.get_imports(str(FOLDER / "per_position_loss.py"))}
    assert {"datasets", "evaluate", "hf_ctxscale", "checked_inputs"} <= found
    assert not re.search(r"^import .*,", (FOLDER / "per_position_loss.py").read_text(), flags=re.MULTILINE)


def test_the_space_has_the_gradio_that_the_tests_run_with() -> None:
    from huggingface_hub import RepoCard

    pinned = re.search(r"^gradio==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    assert RepoCard.load(FOLDER / "README.md").data.sdk_version == pinned[1]
