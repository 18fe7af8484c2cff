"""kill -9 of the control process while both locks are on: they go on, and no frame is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.messages import WorkerLost
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit
from napari_beadscope.testing.engines import EngineTree, worker_pid

OPTIONS = {
    "height_px": 256, "width_px": 256, "beads": 2, "fps": 100, "seed": 5, "margin_px": 90.0,
    "drift_z_nm": 400.0, "drift_nm": 4000.0, "debris_per_mpx": 0.0,
}  # fmt: skip
MICROSCOPE = SimulatedMicroscope(OPTIONS)
BEADS = tuple(
    Bead(k, Roi.around(y, x, 56)) for k, (x, y) in enumerate(MICROSCOPE.bead_positions_px())
)
SETTINGS = {"engine.max_restarts": 3, "engine.restart_window_s": 30.0, "engine.ring_mb": 64}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Scope]:
    """An engine with both locks on."""
    simulated_zlut(MICROSCOPE, 56).save(tmp_path / "zlut.txt")
    made = Scope("simulated", options=OPTIONS, settings=SETTINGS)
    made.add_hardware("focus", "simulated-focus")
    with made as scope:
        scope.set_calibration(100.0, tmp_path / "zlut.txt")
        scope.start_live()
        scope.set_beads(BEADS)
        scope.set_xy_lock(interval_s=0.2)
        scope.set_z_lock(bead=0, nm_per_um=1000.0)
        scope.wait_for(lambda s: s.locks.z_state.corrections > 3)
        yield scope


def test_a_killed_control_process_is_replaced_and_locks_again(
    locked: Scope, tmp_path: Path
) -> None:
    lost: list[WorkerLost] = []
    locked.on_event(lambda e: lost.append(e) if isinstance(e, WorkerLost) else None)
    target = locked.locks.z_state.target_nm
    folder = locked.start_recording(tmp_path / "r", "track")
    for kill in (1, 2):
        before = locked.locks
        os.kill(worker_pid(locked, "control"), signal.SIGKILL)
        locked.wait_for(lambda _, kill=kill: len(lost) >= kill)
        assert lost[-1].restarted
        locked.wait_for(
            lambda s, before=before: (
                s.locks.z_state.corrections > before.z_state.corrections + 3
                and s.locks.xy_state.looks > 3
            )
        )
        now = locked.locks
        assert (now.xy, now.z) == (before.xy, before.z)
        assert now.z_state.phase == "locked"
        assert now.z_state.target_nm == target  # what was found at first, not anew
    path = locked.stop_recording()
    assert path == folder
    assert audit(folder) == []
    recording = open_recording(folder)
    assert len(recording.tracks) == 2 * len(recording.frame_numbers)
    assert (recording.tracks["reason"] == 0).mean() > 0.99
    assert not recording.gaps
    height = recording.tracks["z_nm"][recording.tracks["bead"] == 0]
    assert np.mean(height[-100:]) == pytest.approx(target, abs=25)


def test_a_tracker_that_is_killed_goes_on_where_the_rois_are_now(
    locked: Scope, tmp_path: Path
) -> None:
    folder = locked.start_recording(tmp_path / "r", "track")
    begun = locked.beads
    locked.wait_for(lambda s: abs(s.beads[0].roi.x0 - begun[0].roi.x0) >= 4, 20)
    os.kill(worker_pid(locked, "tracker-0"), signal.SIGKILL)
    time.sleep(1.5)
    locked.stop_recording()
    assert audit(folder) == []
    rows = open_recording(folder).tracks
    assert (rows["reason"] == 0).mean() > 0.99
    assert np.isfinite(rows["x_px"][-40:]).all()


def test_a_control_process_that_keeps_dying_ends_the_locks_and_says_so(locked: Scope) -> None:
    for _ in range(4):
        os.kill(worker_pid(locked, "control"), signal.SIGKILL)
        time.sleep(0.1)
        locked.wait_for(lambda s: s.status().workers[-1].state != "DOWN", 20)
        if locked.locks.z is None:
            break
    locked.wait_for(lambda s: s.locks.z is None and s.locks.xy is None)
    assert locked.locks.z_state.phase == locked.locks.xy_state.phase == "stopped"
    assert "the control process failed for good" in locked.locks.z_state.why
    assert locked.locks.locked == frozenset()
    locked.set_xy_lock(interval_s=0.2)  # and can be asked for again
    locked.wait_for(lambda s: s.locks.xy_state.phase == "on", 20)


VIEWER = """
import sys, time
from napari_beadscope import Scope
scope = Scope.attach(sys.argv[1])
scope.set_xy_lock(interval_s=0.3)
print("attached", flush=True)
time.sleep(60)
"""


def test_a_killed_viewer_changes_nothing(locked: Scope) -> None:
    tree = EngineTree(locked)
    viewer = subprocess.Popen(
        [sys.executable, "-c", VIEWER, locked.engine.engine_id], stdout=subprocess.PIPE, text=True
    )
    assert viewer.stdout is not None
    with viewer.stdout as said:
        assert said.readline().strip() == "attached"
        viewer.kill()
        viewer.wait()
    before = locked.locks
    assert before.xy is not None
    assert before.xy.interval_s == 0.3
    locked.wait_for(lambda s: s.locks.z_state.corrections > before.z_state.corrections + 3)
    assert (locked.locks.xy, locked.locks.z) == (before.xy, before.z)
    assert tree.look()
