"""Runs the real command in a process of its own, as a terminal or a script would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "napari_beadscope"]
LIMIT_S = 110


@dataclass(frozen=True, slots=True)
class Ran:
    """Exit code and words of one run."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The one JSON object that `--json` leaves on standard output, and nothing else."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return json.loads(lines[0])


def beadscope(*arguments: object, cwd: Path | None = None, code: int | None = 0) -> Ran:
    """Run `beadscope` with these arguments; `code` is the exit code it must have."""
    run = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    ran = Ran(run.returncode, run.stdout, run.stderr)
    assert code is None or ran.code == code, ran
    assert "Traceback" not in ran.err
    return ran


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start `beadscope` and go on."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """Wait until `condition()` is true and return its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return value


def lines_in(path: Path) -> int:
    """Whole lines of a text file, 0 if there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture(scope="session")
def real_movie(data_dir: Path) -> Path:
    """401 frames of a bead in an optical trap."""
    return data_dir / "tweezed_bead_real.tif"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, real_movie: Path) -> tuple[Path, Ran]:
    """The real movie, streamed through the engine into a recording with video and tracks."""
    out = tmp_path_factory.mktemp("live") / "recording"
    camera = f"replay:{real_movie}"
    ran = beadscope("record", "--camera", camera, "--mode", "track+full", "--out", out, "--json")
    return out, ran


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, real_movie: Path) -> tuple[Path, Ran]:
    """The real movie, tracked without an engine."""
    out = tmp_path_factory.mktemp("offline") / "tracks"
    return out, beadscope("track", real_movie, "--out", out, "--json")
