"""Bundle: one module of the package with all that it imports of it, flattened into files beside each other that need no package.

evaluate downloads a metric's script and what that script itself imports by a dot, and looks no further.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hf_ctxscale

PACKAGE = hf_ctxscale.__name__
ROOT = Path(hf_ctxscale.__file__).parent
FOR_EVALUATE = "# evaluate reads this file alone to learn what to download beside it, and what has to be installed."


@dataclass(frozen=True)
class Bundle:
    """The files of one module.

    Attributes:
        script: the module itself, under a name of the caller's choice.
        beside: what it imports, by file name.
        needs: names of the packages that have to be installed.
    """

    script: str
    beside: dict[str, str]
    needs: tuple[str, ...]


def imported_modules(module: str) -> dict[str, Path]:
    """A module of the package and all modules of the package that it leads to, with their files."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py")
            waiting += [target for node in _imports(found[name]) if (target := _target(node, within=name))]
    return found


def bundled(module: str) -> Bundle:
    """A module of the package as a bundle."""
    modules = imported_modules(module)
    names = {name: _flat(name) for name in modules}
    assert len(set(names.values())) == len(names), f"two modules of the bundle share a file name: {sorted(names.values())}"
    needs = sorted({package for path in modules.values() for package in _packages(path)})
    texts = {name: _flattened(path, module=name) for name, path in modules.items()}
    missing = [names[name] for name in sorted(modules) if name != module and f"from .{names[name]} import" not in texts[module]]
    packages = sorted(set(needs) - set(_packages(modules[module])))
    texts[module] = _with_imports(texts[module], packages=packages, modules=missing)
    return Bundle(texts[module], {f"{names[name]}.py": texts[name] for name in sorted(modules) if name != module}, tuple(needs))


def _imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node


def _target(node: ast.Import | ast.ImportFrom, *, within: str) -> str | None:
    """The module of the package that an import means; None for another package's."""
    if isinstance(node, ast.Import):
        assert all(alias.name.split(".")[0] != PACKAGE for alias in node.names), f"{within}: write `from {PACKAGE}.x import y`"
        return None
    if node.level:
        assert node.level == 1, f"{within}: an import from a folder above"
        return f"{within.rpartition('.')[0]}.{node.module}"
    return node.module if node.module and node.module.split(".")[0] == PACKAGE else None


def _packages(path: Path) -> Iterator[str]:
    """Packages other than this one and Python's own."""
    for node in _imports(path):
        if isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module and not node.level else []
        else:
            names = [alias.name for alias in node.names]
        yield from {name.split(".")[0] for name in names} - {PACKAGE} - sys.stdlib_module_names


def _flat(module: str) -> str:
    return module.rpartition(".")[2]


def _flattened(path: Path, *, module: str) -> str:
    """A module's text with imports from the package turned into imports from beside it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in _imports(path):
        target = _target(node, within=module)
        if target and isinstance(node, ast.ImportFrom):
            at = node.lineno - 1
            lines[at] = re.sub(r"from \S+ import", f"from .{_flat(target)} import", lines[at], count=1)
    return "\n".join(lines) + "\n"


def _with_imports(script: str, *, packages: list[str], modules: list[str]) -> str:
    """A script that itself imports everything that its bundle does, one import per line, as evaluate looks for them."""
    body = ast.parse(script).body
    last = max(node.end_lineno or 0 for node in body if isinstance(node, (ast.Import, ast.ImportFrom)))
    added = [FOR_EVALUATE, *(f"import {name}" for name in packages), *(f"from .{name} import __name__ as _{name}" for name in modules)]
    lines = script.splitlines()
    return "\n".join([*lines[:last], *added, *lines[last:]]) + "\n"
