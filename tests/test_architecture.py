"""Rules of the plan that neither ruff nor import-linter can express."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "napari_beadscope"
MODULES = sorted(SRC.rglob("*.py"))
RUNTIME = [path for path in MODULES if path.relative_to(SRC).parts[0] != "testing"]
WITHOUT_UI = [path for path in MODULES if path.relative_to(SRC).parts[0] != "ui"]
PACKAGES = sorted(path.parent.name for path in SRC.glob("*/__init__.py"))
HEADLESS = ["", *(f".{name}" for name in PACKAGES if name not in ("ui", "testing"))]

GUI = {
    "PyQt5", "PyQt6", "PySide2", "PySide6", "magicgui", "napari", "pyqtgraph", "qtpy", "superqt",
    "vispy",
}  # fmt: skip
TEST_KIT = {"hypothesis", "napari_beadscope.testing", "pytest", "unittest"}
HEAVY = {
    "av", "cupy", "laptrack", "magtrack", "matplotlib", "napari", "numba", "scipy", "skimage",
    "tifffile",
}  # fmt: skip
IMPORT_BUDGET_S = 0.1


def _name(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def _imported(path: Path) -> Iterator[str]:
    """Every module a file imports, at the top, late or for types only, with its parents."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: i + 1]) for i in range(len(parts)))


def _python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_fits_its_budget(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "a module says what it owns"


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert [_name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", WITHOUT_UI, ids=_name)
def test_only_ui_imports_qt_or_napari(path: Path) -> None:
    assert GUI.isdisjoint(_imported(path))


@pytest.mark.parametrize("path", RUNTIME, ids=_name)
def test_the_product_never_imports_the_testing_kit(path: Path) -> None:
    assert TEST_KIT.isdisjoint(_imported(path))


@pytest.mark.parametrize("package", HEADLESS)
def test_import_loads_no_gui_and_nothing_heavy(package: str) -> None:
    code = f"import sys, napari_beadscope{package}; print(*{GUI | HEAVY!r} & sys.modules.keys())"
    assert _python(code).split() == []


def test_import_is_quick() -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        _python(code)
        return time.perf_counter() - start

    bare = min(seconds("pass") for _ in range(5))
    package = min(seconds("import napari_beadscope") for _ in range(5))
    assert package - bare < IMPORT_BUDGET_S
