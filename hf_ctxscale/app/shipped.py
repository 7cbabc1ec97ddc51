"""shipped_study, shipped_checkpoints: the results and small models that travel with the Space, the checkout and the wheel."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hf_ctxscale.app.settings import SETTINGS_FILE
from hf_ctxscale.architectures import series_label
from hf_ctxscale.records import RunRecord
from hf_ctxscale.study import Study, UserError, size_label

PACKAGE = Path(__file__).parents[1]
# In the wheel, in a checkout, and on a Space, whose root holds the package beside its own files.
PLACES = (PACKAGE / "space", PACKAGE.parent / "space", PACKAGE.parent)


def space_folder() -> Path:
    """The folder that holds settings.json and, beside it, the reference results and the checkpoints.

    Raises:
        UserError: the package is installed without it.
    """
    for folder in PLACES:
        if (folder / SETTINGS_FILE).is_file():
            return folder
    raise UserError(f"the Space's files (space/{SETTINGS_FILE} and what is beside it) were not installed; install the package again.")


def shipped_study() -> Study:
    """The reference results.

    Raises:
        UserError: they are not there, as on a Space that shows the results of a dataset.
    """
    folder = space_folder() / "reference"
    if not folder.is_dir():
        raise UserError(f"{str(folder)!r} does not exist; put results there, or name a results dataset in {SETTINGS_FILE}.")
    return Study(folder)


def shipped_checkpoints() -> dict[str, Path]:
    """Folders of the models that are shipped, by the name that Read along lists them under; none where there are none."""
    folder = space_folder() / "checkpoints"
    folders = {path.parent.name: path.parent for path in sorted(folder.glob("*/config.json"))}
    reference = space_folder() / "reference"
    records = Study(reference).run_records() if reference.is_dir() else []
    return _by_label(records, folder_of=folders.get) or folders


def trained_models(study: Study) -> dict[str, Path]:
    """Folders of the models that a study has trained and still holds, by name; none of a condensed one."""
    return _by_label(study.run_records(), folder_of=lambda run_id: _with_model(study.model_folder(run_id)))


def _with_model(folder: Path) -> Path | None:
    return folder if (folder / "config.json").is_file() else None


def _by_label(records: list[RunRecord], *, folder_of: Callable[[str], Path | None]) -> dict[str, Path]:
    """``222K LSTM, 1 layer``; what would be called alike gets its seed, or else its id, behind it."""
    found = [(record, folder) for record in records if (folder := folder_of(record.run_id)) is not None]
    labels = [f"{size_label(run.params.body)} {series_label(run.architecture, [run.num_layers])}" for run, _ in found]
    with_seed = [f"{label}, seed {run.seed}" for label, (run, _) in zip(labels, found, strict=True)]
    once, once_with_seed = Counter(labels), Counter(with_seed)
    return {
        label if once[label] == 1 else seeded if once_with_seed[seeded] == 1 else f"{label}, {run.run_id}": folder
        for label, seeded, (run, folder) in zip(labels, with_seed, found, strict=True)
    }
