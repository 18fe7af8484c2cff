"""`beadscope zlut sweep` on a microscope that another process runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope

from .conftest import beadscope

OPTIONS = {"height_px": 128, "width_px": 160, "beads": 2, "fps": 200, "seed": 5}


@pytest.fixture(scope="module")
def running() -> Iterator[Scope]:
    """A microscope with a focus motor, not live."""
    places = SimulatedMicroscope(OPTIONS).bead_positions_px()
    scope = Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 64})
    scope.add_hardware("focus", "simulated-focus", start=1.0)
    with scope:
        scope.set_beads([Bead(3 + k, Roi.around(y, x, 40)) for k, (x, y) in enumerate(places)])
        yield scope


@pytest.mark.timeout(120)
def test_it_makes_and_loads_one(running: Scope, tmp_path: Path) -> None:
    asked = ("--low-um", -0.5, "--high-um", 0.5, "--step-nm", 100, "--frames", 4, "--beads", "4")
    ran = beadscope("zlut", "sweep", "--out", tmp_path / "z", *asked, "--json")
    assert ran.data["file"] == str(tmp_path / "z" / "zlut_0004.txt")
    assert ran.data["planes"] == 11
    assert list(ran.data["files"]) == ["4"]
    assert ran.data["failed"] == {}
    assert running.calibration.zlut == ran.data["file"]
    assert running.motor_positions() == {"focus": 1.0}
    again = beadscope("zlut", "sweep", "--out", tmp_path / "z", *asked, code=2)
    assert "exists already: choose a new folder" in again.err
    wrong = beadscope("zlut", "sweep", "--out", tmp_path / "y", "--beads", "four", code=2)
    assert "--beads four is no list of IDs: write them as 0,3,7" in wrong.err


@pytest.mark.timeout(120)
def test_ctrl_c_brings_the_focus_back(running: Scope, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "napari_beadscope", "zlut", "sweep", "--out", tmp_path / "c"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        running.wait_for(lambda scope: scope.motor_positions()["focus"] < 0.5, timeout_s=60)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted by Ctrl-C" in words
    assert running.motor_positions() == {"focus": 1.0}
    assert not (tmp_path / "c").exists()
