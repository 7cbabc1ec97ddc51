"""skip_stubs: keeps gradio from writing type stubs of all its components, which it does at every import and which takes a third of it."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

MODULE, WRITER = "gradio.component_meta", "create_or_modify_pyi"


def skip_stubs() -> None:
    """Has an effect where gradio is not imported yet; the components are the same with and without."""
    if MODULE not in sys.modules:
        sys.meta_path.insert(0, _WithoutWriter())


class _WithoutWriter(MetaPathFinder):
    """Finds that one module as it is always found, and takes the writer out of it."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == MODULE else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if hasattr(module, WRITER):
                setattr(module, WRITER, _write_nothing)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _write_nothing(*component: object) -> None:
    """In place of the writer."""
