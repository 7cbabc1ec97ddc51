"""The metric's repository: evaluate loads it where the package is not installed, with the same numbers; its Space has all that its page imports."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import evaluate
import numpy as np
import pytest
from huggingface_hub import RepoCard

import hf_ctxscale
from hf_ctxscale.metrics import per_position_loss
from hf_ctxscale.publishing.metric import metric_upload
from hf_ctxscale.publishing.metric_bundle import imported_modules
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.study import UserError

REPO_ID = "you/context-loss"
WITHOUT_THE_PACKAGE = """
import sys

class NoPackage:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_ctxscale":
            raise ImportError("hf_ctxscale is not installed here")

sys.meta_path.insert(0, NoPackage())
"""
MEASURE = """
import json
import sys
import evaluate
import numpy as np

losses = np.load(sys.argv[2])
ids = [f"doc-{block % 7}" for block in range(len(losses))]
metric = evaluate.load(sys.argv[1])
results = metric.compute(predictions=losses, document_ids=ids, num_bytes=np.full(losses.shape, 3), confidence=0.9)
try:
    metric.compute(predictions=[[-1.0]])
except ValueError as error:
    results["refusal"] = str(error)
print(json.dumps(results))
"""
OPEN_PAGE = """
from pathlib import Path
import hf_ctxscale
from hf_ctxscale.metrics.per_position_loss import app
assert Path(hf_ctxscale.__file__).parent.parent == Path.cwd(), hf_ctxscale.__file__
assert Path(app.MODULE).is_relative_to(Path.cwd())
summary, *_ = app.compute(app.example_csv(), None, 0.9)
print(summary)
print(app.build_app().title)
"""


@pytest.fixture(scope="module")
def upload() -> Upload:
    return metric_upload(repo_id=REPO_ID)


@pytest.fixture(scope="module")
def repository(upload: Upload, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, in a folder of the repository's name."""
    folder = tmp_path_factory.mktemp("metric") / "context-loss"
    for path, content in upload.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return folder


@pytest.fixture
def run_alone(tmp_path: Path) -> Callable[..., str]:
    """Runs code in a process of its own, with caches of its own and no way to the network, and gives what it prints last."""

    def run(code: str, *arguments: object, folder: Path) -> str:
        own = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
        environment = {**os.environ, **own, "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_bundle_gives_the_packages_numbers_where_the_package_is_not_installed(
    repository: Path, run_alone: Callable[..., str], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    np.save(tmp_path / "losses.npy", 2.0 + random.exponential(1.0, size=(40, 512)) * np.arange(1, 513) ** -0.3)
    package = Path(per_position_loss.__file__).parent
    ours = json.loads(run_alone(MEASURE, package, tmp_path / "losses.npy", folder=tmp_path))
    theirs = json.loads(run_alone(WITHOUT_THE_PACKAGE + MEASURE, repository, tmp_path / "losses.npy", folder=tmp_path))
    assert theirs == ours
    assert theirs["mean_loss_nats_low"] < theirs["mean_loss_nats"] < theirs["mean_loss_nats_high"]
    assert "a negative log-likelihood is not negative" in theirs["refusal"]


def test_the_script_names_every_file_and_package_that_evaluate_has_to_fetch(upload: Upload, repository: Path) -> None:
    found = evaluate.loading.get_imports(str(repository / "context-loss.py"))
    local = {f"{name}.py" for kind, name, *_ in found if kind == "internal"}
    beside = {path for path in upload.files if "/" not in path and path.endswith(".py")} - {"context-loss.py", "app.py"}
    assert local == beside >= {"positions.py", "checked_inputs.py"}
    libraries = {name for kind, name, *_ in found if kind == "library"}
    assert libraries - sys.stdlib_module_names == {"datasets", "evaluate", "numpy", "pyarrow", "pydantic", "scipy"}
    assert "`pip install datasets evaluate numpy pyarrow pydantic scipy`" in (repository / "README.md").read_text()


def test_the_page_opens_from_the_repositorys_own_part_of_the_package(repository: Path, run_alone: Callable[..., str]) -> None:
    printed = run_alone(OPEN_PAGE, folder=repository)
    assert "24 blocks of 512 losses, 20 documents." in printed
    assert printed.splitlines()[-1] == "Loss by context position"


def test_the_part_of_the_package_is_what_the_page_imports_and_no_more(upload: Upload) -> None:
    shipped = {path for path in upload.files if path.startswith("hf_ctxscale/")}
    imported = {f"{name.replace('.', '/')}.py" for name in imported_modules("hf_ctxscale.metrics.per_position_loss.app")}
    assert imported <= shipped
    # The script, which evaluate loads by its path, comes with what it imports; folders are packages by their own file.
    script = {f"{name.replace('.', '/')}.py" for name in imported_modules("hf_ctxscale.metrics.per_position_loss.per_position_loss")}
    assert {path for path in shipped - imported if not path.endswith("/__init__.py")} == script - imported
    assert len(shipped) < len(list(Path(hf_ctxscale.__file__).parent.rglob("*.py"))) / 2
    assert "hf_ctxscale/analysis/__init__.py" in shipped


def test_the_card_tells_of_the_repository_and_not_of_the_package(repository: Path) -> None:
    card = RepoCard.load(repository / "README.md")
    assert (card.data.sdk, card.data.app_file) == ("gradio", "app.py")
    assert f'evaluate.load("{REPO_ID}")' in card.text
    assert "hf-ctxscale[" not in card.text
    assert f'evaluate.load("{REPO_ID}")' in (repository / "context-loss.py").read_text()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("loss.v2", "has a dot, so Python could not import its script"),
        ("positions", r"is that of another file here \(positions.py\)"),
        ("app", r"is that of another file here \(app.py\)"),
    ],
)
def test_a_name_that_evaluate_cannot_load_is_refused(name: str, why: str) -> None:
    with pytest.raises(UserError, match=f"the name '{name}' {why}; evaluate takes a metric's script from its repository's name"):
        metric_upload(repo_id=f"you/{name}")
