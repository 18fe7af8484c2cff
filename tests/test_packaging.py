"""What is built carries the plugin manifest, however it is installed; what it asks for is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from napari_beadscope import __version__

REPO = Path(__file__).parents[1]
PACKED = "napari_beadscope/napari.yaml"

#: Imported, where present, by code that an extra is for.
OF_EXTRAS = {
    "bioio", "bioio_base", "cupy", "dask", "distributed", "laptrack", "pyarrow", "pylibCZIrw",
    "pymmcore", "pytest", "tensorstore",
}  # fmt: skip
#: Imported by what the benchmarks run in another Python, which has these and is told of the last.
PEERS = {"napari_micromanager", "pymmcore_plus", "gui_clock"}

#: Runs in the fresh environment: where npe2 finds the manifest, and what it says.
FIND = """
import napari_beadscope, npe2
manifest = npe2.PluginManifest.from_distribution("napari-beadscope")
print(napari_beadscope.__file__)
print(manifest.name, manifest.display_name, manifest.package_version)
"""


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and, made from it, the wheel, as an index would get them."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPO)
    return folder


@pytest.fixture
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the dependencies but not the package.

    The dependencies come through a ``.pth`` line, whose own ``.pth`` files are not read: so an
    editable install of this clone stays out of sight.
    """
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", paths)) / "python"


def _install(fresh_python: Path, *what: str | Path) -> None:
    site = _run(fresh_python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    _run(*pip, "--disable-pip-version-check", "--upgrade", "--target", site.strip(), *what)


def test_the_sdist_has_what_a_build_needs_and_no_more(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"napari.yaml", "LICENSE", "README.md", "pyproject.toml", f"src/{PACKED}"} <= names
    assert {name.partition("/")[0] for name in names}.isdisjoint({".venv", "dist", ".git"})


def test_the_wheel_from_the_sdist_has_the_manifest(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(PACKED)
    assert packed == (REPO / "napari.yaml").read_bytes()


@pytest.mark.timeout(180)
def test_npe2_finds_the_manifest_of_the_installed_wheel(built: Path, fresh_python: Path) -> None:
    (wheel,) = built.glob("*.whl")
    _install(fresh_python, wheel)
    where, what = _run(fresh_python, "-c", FIND, cwd=built).splitlines()
    assert Path(where).is_relative_to(fresh_python.parents[1])
    assert what == f"napari-beadscope BeadScope {__version__}"
    _run(fresh_python, "-m", "npe2", "validate", "napari_beadscope", cwd=built)


@pytest.mark.timeout(180)
def test_npe2_finds_the_manifest_of_an_editable_install(fresh_python: Path, tmp_path: Path) -> None:
    _install(fresh_python, "--editable", REPO)
    where, what = _run(fresh_python, "-c", FIND, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(REPO / "src")
    assert what == f"napari-beadscope BeadScope {__version__}"


def _distributions() -> set[str]:
    """Names of the distributions that the package imports, anywhere in its modules."""
    modules = set()
    for path in (REPO / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    modules -= {*sys.stdlib_module_names, *OF_EXTRAS, *PEERS, "napari_beadscope"}
    known = packages_distributions()
    return {known[module][0].lower().replace("_", "-") for module in modules}


def test_dependencies_are_what_is_imported() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {re.split(r"[^\w.-]", line)[0].lower() for line in project["dependencies"]}
    assert asked == _distributions()
