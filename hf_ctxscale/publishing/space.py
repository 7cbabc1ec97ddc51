"""space_upload: the Gradio Space: its own files, the package's folder, results and small checkpoints."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import RepoCard, hf_hub_url

from hf_ctxscale.app.settings import SETTINGS_FILE, SpaceSettings
from hf_ctxscale.app.shipped import PACKAGE, shipped_study, space_folder
from hf_ctxscale.app.thumbnail import NAME as THUMBNAIL
from hf_ctxscale.app.thumbnail import draw_thumbnail
from hf_ctxscale.publishing.connection import check_repo_id
from hf_ctxscale.publishing.model_files import PUBLISHED
from hf_ctxscale.publishing.results import condensed_copy, contents
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.study import Study, UserError

OWN_FILES = ("app.py", "requirements.txt")  # those that travel as they are
CARD, LICENCE = "README.md", "LICENSE"
REFERENCE, CHECKPOINTS = "reference", "checkpoints"
MOST_CHECKPOINT_BYTES = 10_000_000  # in all
SOURCES = ("*.py", "*.j2", "*.css", "*.js", "*.md", "*.txt", "py.typed")
# In an installed package these lie inside its folder; on the Space they have places of their own.
BESIDE_THE_PACKAGE = ("space", "configs")


def space_upload(*, repo_id: str, results_id: str | None = None, study: Study | None = None, models: Sequence[str] = ()) -> Upload:
    """Everything that the Space needs to start.

    Args:
        results_id: a results dataset, which the card names. Without a study the Space shows it, and fetches it at each start.
        study: whose condensed results travel in the Space, with checkpoints of its own where it has any; None: the shipped ones.
        models: ids of models on the Hub that the card names, and that Read along lists beside the checkpoints.

    Raises:
        UserError: an id is malformed or is a folder here, or the study was not scored and analysed.
    """
    for hub_id in (repo_id, *([results_id] if results_id else []), *models):
        check_repo_id(hub_id)
    if results_id and Path(results_id).is_dir():
        raise UserError(
            f"{results_id!r} is a folder here; the Space fetches its results from the Hub: publish them first with "
            f"`hf-ctxscale publish results {results_id} --repo OWNER/NAME`, and give that id."
        )
    space = space_folder()
    files: dict[str, Path | bytes] = {name: space / name for name in OWN_FILES}
    with TemporaryDirectory() as aside:
        shown = shipped_study() if study is None else condensed_copy(study, folder=Path(aside))
        if study is not None or results_id is None:
            files |= {f"{REFERENCE}/{path}": content for path, content in contents(shown).items()}
        card = _card(space / CARD, repo_id=repo_id, models=models, datasets=[results_id] if results_id else [])
        files[THUMBNAIL] = draw_thumbnail(shown, title=str(card.data["title"]))
    checkpoints = _own_checkpoints(study) if study else {}
    checkpoints = checkpoints or {folder.name: folder for folder in _folders(space / CHECKPOINTS)}
    for run_id, folder in checkpoints.items():
        files |= {f"{CHECKPOINTS}/{run_id}/{path.name}": path for path in _checkpoint_files(folder)}
    files[CARD] = str(card).encode()
    files[SETTINGS_FILE] = _settings(
        space / SETTINGS_FILE,
        results=None if study else results_id,
        # A published model that travels as a checkpoint too would be listed twice.
        models=[model for model in models if not model.endswith(tuple(f"-{run_id}" for run_id in checkpoints))],
    )
    files |= {f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path for path in package_sources()}
    files |= licence()
    return Upload(repo_id, "space", files, message="The Space: app, package, results and checkpoints", space_sdk="gradio")


def licence() -> dict[str, Path]:
    """The licence of the package's code, which goes where the code goes: inside the wheel's folder, or beside a checkout's."""
    places = (folder / LICENCE for folder in (PACKAGE, PACKAGE.parent))
    return {LICENCE: next(path for path in places if path.is_file())}


def package_sources() -> Iterator[Path]:
    """The package's own files, without what Python or anybody else puts beside them."""
    for path in sorted(PACKAGE.rglob("*")):
        first = path.relative_to(PACKAGE).parts[0]
        if path.is_file() and first not in BESIDE_THE_PACKAGE and any(fnmatch(path.name, pattern) for pattern in SOURCES):
            yield path


def _card(path: Path, *, repo_id: str, models: Sequence[str], datasets: Sequence[str]) -> RepoCard:
    card = RepoCard(path.read_text(encoding="utf-8"))
    # None leaves a key out.
    card.data["models"], card.data["datasets"] = list(models) or None, list(datasets) or None
    # Pages that show a shared address fetch the picture by its full address.
    card.data["thumbnail"] = hf_hub_url(repo_id, THUMBNAIL, repo_type="space")
    return card


def _settings(path: Path, *, results: str | None, models: Sequence[str]) -> bytes:
    settings = json.loads(path.read_text(encoding="utf-8")) | {"results": results, "models": list(models)}
    # What the Space would refuse at its start is a mistake of this file.
    SpaceSettings.model_validate_json(json.dumps(settings), strict=True)
    return (json.dumps(settings, indent=2) + "\n").encode()


def _own_checkpoints(study: Study) -> Mapping[str, Path]:
    """By run: for each family the trained model of lowest validation loss that leaves the others their share of the room."""
    finished = [run for run in study.run_records() if run.state == "finished" and run.validation_loss_nats is not None]
    sizes = {run.run_id: sum(path.stat().st_size for path in _checkpoint_files(study.model_folder(run.run_id))) for run in finished}
    families = {run.architecture for run in finished if sizes[run.run_id]}
    chosen = {}
    for family in sorted(families):
        fitting = [run for run in finished if run.architecture == family and 0 < sizes[run.run_id] <= MOST_CHECKPOINT_BYTES / len(families)]
        if fitting:
            best = min(fitting, key=lambda run: (run.validation_loss_nats, run.run_id))
            chosen[best.run_id] = study.model_folder(best.run_id)
    return chosen


def _folders(folder: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(folder.glob("*/config.json")))


def _checkpoint_files(folder: Path) -> list[Path]:
    """What from_pretrained reads where the package is: no code among it."""
    if not folder.is_dir():
        return []
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink() and path.suffix != ".py")
    return [path for path in files if any(fnmatch(path.name, pattern) for pattern in PUBLISHED)]
