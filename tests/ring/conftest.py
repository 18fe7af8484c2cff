"""A segment folder of their own for the ring tests, so that no other engine's sweep meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from napari_beadscope.ring.segment import segment_folder

CHILDREN = Path(__file__).with_name("children.py")


@pytest.fixture(autouse=True)
def segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use an empty folder for segments and fail if a test leaves one there."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setenv("BEADSCOPE_SEGMENT_DIR", str(folder))
    yield folder
    left = [path.name for path in folder.iterdir()] if segment_folder() == folder else []
    assert not left, f"left behind: {left}"


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start functions of ``children.py`` in processes of their own; kill what is left of them."""
    started: list[subprocess.Popen] = []

    def start(name: str, /, **arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, str(CHILDREN), name, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
