"""The shipped study as the page has it open, and a synthetic one of a visitor."""

import shutil
import sys
from pathlib import Path

import pytest

# The synthetic study is that of the charts' tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))
from synthetic_study import write_synthetic_study

from hf_ctxscale.app.opened import Library, OpenedStudy
from hf_ctxscale.study import Study

REFERENCE = Path(__file__).parents[2] / "space" / "reference"


@pytest.fixture(scope="session")
def library() -> Library:
    """With the shipped study; tests that add to it drop what they added."""
    return Library(Study(REFERENCE), name="the reference study")


@pytest.fixture(scope="session")
def shipped(library: Library) -> OpenedStudy:
    return library.open(Library.SHIPPED)


@pytest.fixture
def own_study(tmp_path: Path) -> Study:
    """A study that a visitor might bring, with markup in the name of its corpus."""
    return write_synthetic_study(tmp_path / "own", corpus="<img src=x onerror=alert(1)>")


@pytest.fixture
def reference_copy(tmp_path: Path) -> Study:
    """The shipped study where a test may change it."""
    return Study(Path(shutil.copytree(REFERENCE, tmp_path / "reference")))
