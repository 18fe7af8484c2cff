"""Fixtures every test shares: isolation from the user's folders, real data, leaks."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_beadscope.testing import leaks

REPO = Path(__file__).parents[1]
# Where both bindings are installed, pytest-qt is to take the one that napari takes.
os.environ.setdefault("QT_API", "pyqt6" if importlib.util.find_spec("PyQt6") else "pyside6")
os.environ.setdefault("PYTEST_QT_API", os.environ["QT_API"])
_FOLDERS = pytest.StashKey[list[Path]]()


def pytest_configure(config: pytest.Config) -> None:
    """Point every user folder at a fresh one, before anything is imported or started.

    Short paths: socket names must fit into 107 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="bs-"))
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    segments = Path(tempfile.mkdtemp(prefix="bs-", dir=memory))
    config.stash[_FOLDERS] = [folder, segments]
    for name in ("config", "run"):
        (folder / name).mkdir(mode=0o700)
    os.environ["BEADSCOPE_CONFIG_DIR"] = str(folder / "config")
    os.environ["BEADSCOPE_RUNTIME_DIR"] = str(folder / "run")
    os.environ["BEADSCOPE_SEGMENT_DIR"] = str(segments)
    os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # doubles napari's start


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove this session's folders."""
    for folder in config.stash[_FOLDERS]:
        shutil.rmtree(folder, ignore_errors=True)


def _numbers_of_threads() -> dict[str, str]:
    return {name: said for name, said in os.environ.items() if name.endswith("_NUM_THREADS")}


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a segment, a process, a thread, or other ways to log and compute.

    A root logger that takes every message makes all later tests several times slower; processes
    that compute with other numbers of threads round the simulated microscope's pixels otherwise.
    """
    before = leaks.look()
    level, threads = logging.getLogger().level, _numbers_of_threads()
    yield
    left = leaks.left_behind(before)
    if _numbers_of_threads() != threads:
        left = [*left, f"the environment's {_numbers_of_threads()}, which was {threads}"]
    if logging.getLogger().level != level:
        left = [*left, f"root logger's level {logging.getLogger().level}"]
        logging.getLogger().setLevel(level)
    if left:
        leaks.end_processes(before)
        leaks.remove_segments(before)
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real recordings that tests read."""
    folder = Path(os.environ.get("BEADSCOPE_TEST_DATA") or REPO.parent / "shared" / "data")
    if not (folder / "tweezed_bead_real.tif").is_file():
        pytest.fail(
            f"no real recordings in {folder}: "
            "set BEADSCOPE_TEST_DATA to the folder that holds tweezed_bead_real.tif",
            pytrace=False,
        )
    return folder
