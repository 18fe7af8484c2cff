"""Pause, resume, progress, and what comes to rest after a script: on a real engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from napari_beadscope.core.errors import EngineError, InputError
from napari_beadscope.script import Scope
from napari_beadscope.script.conduct import RunState
from napari_beadscope.script.runs import ScriptRun, known_scripts, run_script
from napari_beadscope.storage import open_recording

pytestmark = pytest.mark.timeout(180)
OPTIONS = {"height_px": 256, "width_px": 256, "beads": 1, "fps": 50}
PATIENCE_S = 60.0
HEAD = "from napari_beadscope import Scope\nscope = Scope.attach()\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[Scope]:
    """A live engine with a bead and a slow magnet."""
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 16}) as scope:
        scope.add_hardware("magnet", "simulated-magnet", speed=0.05)
        scope.start_live()
        scope.wait_for("live", 60)
        next(scope.frames(1))
        scope.find_beads()
        scope.set_xy_lock()  # starts the process that holds it
        scope.set_xy_lock(False)
        yield scope


@pytest.fixture
def start(engine: Scope, tmp_path: Path) -> Iterator[Callable[[str], ScriptRun]]:
    """Start a script with this text after `HEAD`; end it with the test."""
    runs: list[ScriptRun] = []

    def run(text: str) -> ScriptRun:
        path = tmp_path / f"script{len(runs)}.py"
        path.write_text(HEAD + text, encoding="utf-8")
        runs.append(run_script(path, engine.engine.engine_id))
        return runs[-1]

    yield run
    for one in runs:
        one.resume()
        one.stop()
        one.wait(30)
    engine.stop_motors()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def printed(run: ScriptRun, text: str, so_far: list[str]) -> bool:
    so_far.append(run.read())
    return text in "".join(so_far)


def test_a_paused_script_waits_at_its_next_call_and_goes_on(start: Callable) -> None:
    run = start("for k in range(100000):\n    scope.sleep(0.01)\n    print(k, flush=True)\n")
    said: list[str] = []
    until(lambda: printed(run, "3\n", said), "output")
    run.pause()
    until(lambda: run.progress.paused, "the pause")
    run.read()
    before = run.progress
    time.sleep(0.5)
    assert run.read() == ""  # it stands still
    assert run.is_running
    assert run.progress == before
    run.resume()
    until(lambda: run.read() != "", "going on")
    assert not run.progress.paused
    assert run.progress.paused_s >= 0.5
    assert not run.is_to_pause


def test_a_paused_script_stops_with_its_finally(start: Callable) -> None:
    run = start(
        "print('up')\n"
        "try:\n    scope.wait_for(lambda it: False, None)\n"
        "finally:\n    print(scope.status().streaming)\n"
    )
    said: list[str] = []
    until(lambda: printed(run, "up\n", said), "output")
    run.pause()
    until(lambda: run.progress.paused, "the pause")
    run.stop()
    assert run.wait(PATIENCE_S).state == "stopped"
    assert run.read() == "True\n"


def test_time_in_a_pause_does_not_count_for_limits(start: Callable) -> None:
    run = start(
        "print('up')\n"
        "import time\n"
        "began = time.monotonic()\n"
        "scope.wait_for(lambda it: time.monotonic() > began + 4, 3, 'a late thing')\n"
    )
    said: list[str] = []
    until(lambda: printed(run, "up\n", said), "output")
    run.pause()
    until(lambda: run.progress.paused, "the pause")
    time.sleep(5)
    run.resume()
    record = run.wait(PATIENCE_S)
    assert (record.state, record.error) == ("finished", "")


def test_progress_and_time_left(start: Callable) -> None:
    run = start(
        "scope.progress(0, 4, 'begin')\n"
        "scope.sleep(0.4)\n"
        "scope.progress(2, 4, 'second half')\n"
        "scope.sleep(600)\n"
    )
    until(lambda: run.progress.done == 2, "progress")
    state = run.progress
    assert (state.fraction, state.text, state.total) == (0.5, "second half", 4)
    left = state.left_s(state.told_unix_s)
    assert left is not None
    assert 0.3 < left < 30
    assert (state.left_s(state.told_unix_s + 100) or 0.0) == 0.0


def test_time_left_leaves_pauses_out() -> None:
    state = RunState(2, 6, "", 100, 0, 160, False, 50, 10)
    assert state.left_s(160) == pytest.approx(40)  # 60 s, of which 40 s waited: 10 s a step
    assert RunState().left_s(5) is None
    assert RunState(0, 6, since_unix_s=3).left_s(5) is None


def test_a_script_that_fails_leaves_the_microscope_safe(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    run = start(
        f"scope.start_recording({str(folder)!r}, 'track')\n"
        "scope.set_xy_lock()\n"
        "scope.move('magnet', 1.0, wait=False)\n"
        "scope.sleep(0.5)\n"
        "raise ValueError('too dark')\n"
    )
    record = run.wait(PATIENCE_S)
    assert (record.state, record.line, record.error) == ("failed", 7, "ValueError: too dark")
    for said in ("the magnet motor was halted", "the XY-lock was switched off", "was ended, compl"):
        assert said in record.rested
    assert "The magnet motor was halted." in run.read()
    (magnet,) = engine.motors()
    until(lambda: not engine.motors()[0].moving, "rest")
    assert magnet.position < 0.9
    until(lambda: engine.locks.xy is None, "the lock's end")
    engine.wait_for("not recording", PATIENCE_S)
    found = open_recording(folder)
    assert found.manifest.state == "complete"
    assert len(found.frame_numbers) > 0


def test_what_a_script_found_on_or_others_have_changed_is_left_alone(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    engine.set_xy_lock()
    theirs = engine.start_recording(tmp_path / "theirs", "track")
    try:
        run = start(
            "scope.set_xy_lock(interval_s=2)\n"
            "scope.move('magnet', 2.0, wait=False)\n"
            "print('sent', flush=True)\n"
            "scope.sleep(600)\n"
        )
        said: list[str] = []
        until(lambda: printed(run, "sent\n", said), "the move")
        engine.move("magnet", 1.5, wait=False)  # by another hand
        run.stop()
        record = run.wait(PATIENCE_S)
        assert (record.state, record.rested) == ("stopped", "")
        (magnet,) = engine.motors()
        assert (magnet.target, magnet.moving) == (1.5, True)
        assert engine.locks.xy is not None
        assert engine.locks.xy.interval_s == 2
        assert engine.status().recording == str(theirs)
    finally:
        engine.stop_recording()
        engine.set_xy_lock(False)


def test_a_script_that_ends_well_leaves_things_as_it_wants(start: Callable, engine: Scope) -> None:
    record = start("scope.set_xy_lock()\n").wait(PATIENCE_S)
    assert (record.state, record.rested) == ("finished", "")
    until(lambda: engine.locks.xy is not None, "the lock")
    engine.set_xy_lock(False)


def test_one_that_must_be_killed_is_safe_all_the_same(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    run = start(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"scope.start_recording({str(tmp_path / 'r')!r}, 'track')\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    said: list[str] = []
    until(lambda: printed(run, "up\n", said), "output")
    run.stop()
    record = run.wait(PATIENCE_S)
    assert record.state == "stopped"
    assert record.rested.startswith("the recording ")
    engine.wait_for("not recording", PATIENCE_S)
    again = next(one for one in known_scripts() if one.record.run_id == record.run_id)
    assert again.record.state == "stopped"  # others know it, too


def test_a_killed_script_is_told_and_the_rest_goes_on(
    start: Callable, engine: Scope, tmp_path: Path
) -> None:
    folder = tmp_path / "r"
    run = start(
        f"scope.start_recording({str(folder)!r}, 'track')\n"
        "print('up', flush=True)\n"
        "scope.sleep(600)\n"
    )
    said: list[str] = []
    until(lambda: printed(run, "up\n", said), "output")
    os.kill(run.record.pid, signal.SIGKILL)
    record = run.wait(PATIENCE_S)
    assert record.state == "failed"
    assert record.error.startswith("its process was killed; motors that it had sent were halted; ")
    assert engine.status().recording == str(folder)
    engine.stop_recording()
    assert open_recording(folder).manifest.state == "complete"


def test_waits_say_what_they_wait_for(engine: Scope) -> None:
    engine.wait_for("live")
    engine.wait_for("at rest", PATIENCE_S)
    with pytest.raises(EngineError, match=r"waited for 0\.05 s in vain: the Z-lock holds"):
        engine.wait_for("focus locked", 0.05)
    with pytest.raises(EngineError, match="in vain: the moon rises"):
        engine.wait_for(lambda _: False, 0.05, "the moon rises")
    with pytest.raises(InputError, match="does not know 'locked': choose 'live'"):
        engine.wait_for("locked")
    with pytest.raises(InputError, match="seconds is -1"):
        engine.sleep(-1)
    with pytest.raises(InputError, match="done is 'x'"):
        engine.progress("x", 2)  # type: ignore[arg-type]
    engine.progress(1, 2, "outside a run it says nothing")


def test_waits_end_with_the_engine() -> None:
    with Scope("simulated", options=OPTIONS, settings={"engine.ring_mb": 16}) as scope:
        os.kill(scope.engine.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="the engine is gone"):
            scope.sleep(PATIENCE_S)
