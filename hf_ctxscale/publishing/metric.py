"""metric_upload: the evaluate module as a Space, from which `evaluate.load(ID)` takes its code, and which opens as a page."""

from pathlib import Path

from hf_ctxscale.publishing.connection import check_repo_id
from hf_ctxscale.publishing.metric_bundle import ROOT, Bundle, bundled, imported_modules
from hf_ctxscale.publishing.space import licence
from hf_ctxscale.publishing.upload import Upload
from hf_ctxscale.study import UserError

MODULE = "hf_ctxscale.metrics.per_position_loss.per_position_loss"
APP = "hf_ctxscale.metrics.per_position_loss.app"
FOLDER = ROOT / "metrics" / "per_position_loss"
APP_FILE = '''"""The metric's page; on a Space the package's folder stands beside this file."""

from hf_ctxscale.metrics.per_position_loss.app import run_app

run_app()
'''
LOADED_IN_DOCSTRING = 'evaluate.load("hf_ctxscale/metrics/per_position_loss")'


def metric_upload(*, repo_id: str) -> Upload:
    """The metric's script and what it imports, for evaluate; page, requirements and the part of the package that the page needs, for the Space.

    Raises:
        UserError: evaluate could not load a module of that name.
    """
    check_repo_id(repo_id)
    script, bundle = f"{repo_id.rpartition('/')[2]}.py", bundled(MODULE)
    files: dict[str, Path | bytes] = {name: text.encode() for name, text in bundle.beside.items()}
    _check_name(script, taken={*files, "app.py"})
    files |= {
        script: _replaced(bundle.script, {LOADED_IN_DOCSTRING: f'evaluate.load("{repo_id}")'}).encode(),
        "README.md": metric_card(bundle, repo_id=repo_id).encode(),
        "app.py": APP_FILE.encode(),
        "requirements.txt": FOLDER / "requirements.txt",
    }
    files |= {f"{ROOT.name}/{path.relative_to(ROOT).as_posix()}": path for path in _package_files()}
    files |= licence()
    return Upload(repo_id, "space", files, message="The metric: script, card and page", space_sdk="gradio")


def metric_card(bundle: Bundle, *, repo_id: str) -> str:
    """The metric's card, with the ways of its package replaced by those of its repository."""
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    load = (
        '>>> from importlib.resources import files\n>>> metric = evaluate.load(str(files("hf_ctxscale") / "metrics" / "per_position_loss"))'
    )
    page = (
        "`app.py` beside the module is a page for pasted or uploaded losses, with these numbers in a table and a chart. It needs gradio:\n"
        '`pip install "hf-ctxscale[train,app]"`, then `python -m hf_ctxscale.metrics.per_position_loss.app`.'
    )
    return _replaced(
        card,
        {
            'The metric needs the package: `pip install "hf-ctxscale[train]"`.': f"The metric needs `pip install {' '.join(bundle.needs)}`.",
            load: f'>>> metric = evaluate.load("{repo_id}")',
            page: "This Space is a page for pasted or uploaded losses, with these numbers in a table and a chart.",
        },
    )


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, f"expected once: {old}"
        text = text.replace(old, new)
    return text


def _check_name(script: str, *, taken: set[str]) -> None:
    """evaluate imports the script by its name, which is that of the repository."""
    name = script.removesuffix(".py")
    if "." in name or script in taken:
        why = "has a dot, so Python could not import its script" if "." in name else f"is that of another file here ({script})"
        raise UserError(
            f"the name {name!r} {why}; evaluate takes a metric's script from its repository's name: 'per_position_loss' is a good one."
        )


def _package_files() -> set[Path]:
    """What the page imports of the package, with the folders' own files."""
    files = {*imported_modules(APP).values(), *imported_modules(MODULE).values()}
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(ROOT)}
    return files | {folder / "__init__.py" for folder in folders}
