"""kill -9 of a motor's, the control or a script's process in each part of an experiment.

Motors stop or hold, the rest goes on, everyone is told, and what was killed can be used again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from napari_beadscope.core.messages import Event, FrontEndLost, WorkerLost
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.runs import ScriptRun, run_script
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit
from napari_beadscope.testing.engines import worker_pid

OPTIONS = {
    "height_px": 256, "width_px": 256, "beads": 2, "fps": 50, "seed": 5, "margin_px": 90.0,
    "debris_per_mpx": 0.0,
}  # fmt: skip
MICROSCOPE = SimulatedMicroscope(OPTIONS)
SIZE_PX = 56
BEADS = tuple(
    Bead(k, Roi.around(y, x, SIZE_PX)) for k, (x, y) in enumerate(MICROSCOPE.bead_positions_px())
)
SETTINGS = {"engine.max_restarts": 1000, "engine.ring_mb": 64}
START_UM = 0.25
WAIT_S = 90.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = """
from napari_beadscope import Scope
with Scope.attach() as scope:
    {}
"""
#: What the script does, and the motor that it does it with.
STAGES = {
    "find": ("while True: scope.find_beads(size_px=56), print('begun')", "focus"),
    "sweep": (
        "scope.sweep_zlut(folder='zlut', settle_s=0.1, on_plane=lambda plane: print('begun'))",
        "focus",
    ),
    "lock": (
        "scope.set_z_lock(bead=0, interval_s=0.05)\n"
        "    scope.wait_for(lambda scope: scope.locks.z_state.corrections > 2, 90)\n"
        "    print('begun')\n"
        "    scope.sleep(600)",
        "focus",
    ),
    "ramp": ("print('begun'), scope.move('magnet', 10)", "magnet"),
    "recording": (
        "scope.start_recording('recording', 'track')\n"
        "    print('begun')\n"
        "    for turn in range(99): scope.move('magnet', 10 * (turn % 2))",
        "magnet",
    ),
}


@pytest.fixture
def scope(tmp_path: Path) -> Iterator[Scope]:
    """A live engine with a Z-LUT, a focus motor and a slow magnet."""
    simulated_zlut(MICROSCOPE, SIZE_PX).save(tmp_path / "zlut.txt")
    made = Scope("simulated", options=OPTIONS, settings=SETTINGS)
    made.add_hardware("focus", "simulated-focus", start=START_UM)
    made.add_hardware("magnet", "simulated-magnet", speed=0.2)
    with made as scope:
        scope.set_calibration(100.0, tmp_path / "zlut.txt")
        scope.start_live()
        yield scope


@contextmanager
def script(scope: Scope, text: str, folder: Path) -> Iterator[ScriptRun]:
    """Start a script, with nothing but an XY-lock going on, and wait until it is at work."""
    scope.set_beads(BEADS)
    scope.set_xy_lock(interval_s=0.1)
    scope.wait_for(lambda scope: scope.locks.xy_state.phase == "on", WAIT_S)
    folder.mkdir(exist_ok=True)
    file = folder / "experiment.py"
    file.write_text(SCRIPT.format(text))
    run, said = run_script(file, scope.engine.engine_id), ""
    try:
        while "begun" not in said:
            ended = not run.is_running
            said += run.read()
            assert "begun" in said or not ended, (run.record, said)
            time.sleep(0.02)
        yield run
    finally:
        run.stop()
        run.wait(20.0)
        if scope.status().recording:
            scope.stop_recording()
        scope.set_z_lock(False)
        scope.move("focus", START_UM)
    assert not run.is_running


def killed(scope: Scope, pid: int, kind: type[Event]) -> Event:
    """Kill a process and return the first event of a kind."""
    told: list[Event] = []
    unsubscribe = scope.on_event(lambda e: told.append(e) if isinstance(e, kind) else None)
    os.kill(pid, signal.SIGKILL)
    scope.wait_for(lambda _: told, WAIT_S)
    unsubscribe()
    return told[0]


def rests(scope: Scope, motor: str) -> float:
    """Wait until a motor rests; fail if it then moves; return where it is."""

    def place() -> tuple[float, bool]:
        now = next(one for one in scope.motors() if one.info.name == motor)
        return now.position, now.moving or now.info.claimed != ""

    scope.wait_for(lambda _: not place()[1], WAIT_S)
    where, frames = place()[0], scope.status().frames
    scope.wait_for(lambda s: s.status().frames > frames + 15, WAIT_S)
    assert place() == (where, False)
    return where


def goes_on(scope: Scope) -> None:
    """Fail unless frames come, beads are tracked and ROIs follow them."""
    before = scope.status()
    looks = scope.locks.xy_state.looks
    scope.wait_for(lambda s: s.status().frames > before.frames + 10, WAIT_S)
    scope.wait_for(lambda s: s.status().rows > before.rows + 10, WAIT_S)
    scope.wait_for(lambda s: s.locks.xy_state.looks not in range(looks + 2), WAIT_S)
    assert scope.locks.xy is not None


def still_recorded(scope: Scope, folder: Path) -> None:
    """Fail unless the recording has gone on, and ends complete."""
    frames = scope.status().recorded_frames
    scope.wait_for(lambda s: s.status().recorded_frames > frames + 10, WAIT_S)
    assert scope.stop_recording() == folder / "recording"
    complete(folder)


def complete(folder: Path) -> None:
    """Fail unless all files of the recording agree, to its end."""
    assert audit(folder / "recording") == []
    assert open_recording(folder / "recording").manifest.state == "complete"


def kill_motor(scope: Scope, stage: str, folder: Path) -> None:
    text, motor = STAGES[stage]
    with script(scope, text, folder) as run:
        if motor == "magnet":
            scope.wait_for(lambda s: s.motors()[1].moving, WAIT_S)
        lost = killed(scope, worker_pid(scope, f"motor-{motor}"), WorkerLost)
        assert isinstance(lost, WorkerLost)
        assert (lost.name, lost.restarted) == (f"motor-{motor}", True)
        goes_on(scope)
        worker_pid(scope, f"motor-{motor}", timeout_s=WAIT_S)  # it is up again
        where = rests(scope, motor)
        match stage:
            case "find":
                assert run.is_running
                assert where == START_UM
            case "sweep":
                assert "focus" in run.wait(WAIT_S).error
                assert where == START_UM
                assert not (folder / "zlut").exists()
            case "lock":
                scope.wait_for(lambda s: s.locks.z is None, WAIT_S)
                assert "the focus motor's process ended" in scope.locks.z_state.why
                scope.set_z_lock(bead=0)
                scope.wait_for(lambda s: s.locks.z_state.corrections > 2, WAIT_S)
            case "ramp" | "recording":
                record = run.wait(WAIT_S)
                assert "the magnet motor's process died on the way" in record.error
                assert record.line >= 4
                assert 0 < where < 10
                if stage == "recording":  # the script that began it has failed, and ended it
                    assert f"{folder / stage} was ended, complete" in record.rested
                    complete(folder)
        if stage != "lock":
            scope.move(motor, where + 0.1)
            assert scope.motor_positions()[motor] == pytest.approx(where + 0.1)


def kill_control(scope: Scope, stage: str, folder: Path) -> None:
    with script(scope, STAGES[stage][0], folder) as run:
        corrections = scope.locks.z_state.corrections
        lost = killed(scope, worker_pid(scope, "control"), WorkerLost)
        assert isinstance(lost, WorkerLost)
        assert (lost.name, lost.restarted) == ("control", True)
        goes_on(scope)
        assert run.is_running, run.record  # it has not noticed
        if stage == "lock":
            scope.wait_for(lambda s: s.locks.z_state.corrections > corrections + 2, WAIT_S)
            assert scope.locks.z_state.phase == "locked"
        if stage == "recording":
            still_recorded(scope, folder)


def kill_script(scope: Scope, stage: str, folder: Path) -> None:
    text, motor = STAGES[stage]
    with script(scope, text, folder) as run:
        if motor == "magnet":
            scope.wait_for(lambda s: s.motors()[1].moving, WAIT_S)
        pid = run.record.pid
        lost = killed(scope, pid, FrontEndLost)
        assert isinstance(lost, FrontEndLost)
        assert f"process {pid}) ended without a goodbye" in lost.what
        assert lost.halted == (("magnet",) if motor == "magnet" else ())
        assert lost.going_back == (("focus",) if stage == "sweep" else ())
        assert run.wait(WAIT_S).state == "failed"
        goes_on(scope)
        if stage == "lock":  # what holds goes on holding
            before = scope.locks.z_state.corrections
            scope.wait_for(lambda s: s.locks.z_state.corrections > before + 2, WAIT_S)
        else:
            where = rests(scope, motor)
            assert where == START_UM if motor == "focus" else 0 < where < 10
        if stage == "recording":
            still_recorded(scope, folder)
    with script(scope, "print('begun')", folder) as again:
        assert again.wait(WAIT_S).state == "finished"
    if stage == "find":  # but a goodbye lets motors arrive
        other = scope.again()
        other.move("magnet", 0.3, wait=False)
        other.detach()
        scope.wait_for(lambda s: s.motor_positions()["magnet"] == 0.3, WAIT_S)


@pytest.mark.parametrize("kill", [kill_motor, kill_control, kill_script])
def test_killed_in_each_part_of_an_experiment(
    scope: Scope, kill: Callable[[Scope, str, Path], None], tmp_path: Path
) -> None:
    for stage in STAGES:
        kill(scope, stage, tmp_path / stage)
