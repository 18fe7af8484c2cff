"""Motors of a running engine: where they are and were, limits, stop, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.core.messages import MotorsChanged, WorkerLost
from napari_beadscope.core.types import MotorInfo
from napari_beadscope.script import Scope

SLOW = 4.0  # um/s: a move of 2 um can be looked at on the way


@pytest.fixture(scope="module")
def moving(options: dict) -> Iterator[Scope]:
    """An engine with a slow focus motor and a fast magnet."""
    scope = Scope("simulated", options=options, settings={"engine.ring_mb": 64})
    scope.add_hardware("focus", "simulated-focus", speed=SLOW)
    scope.add_hardware("magnet", "simulated-magnet", speed=1e6)
    with scope:
        yield scope


def worker_pid(scope: Scope, name: str) -> int:
    return next(worker.pid for worker in scope.status().workers if worker.name == name)


def test_every_front_end_knows_units_and_limits(moving: Scope) -> None:
    focus, magnet = moving.motors()
    assert focus.info == MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0)
    assert magnet.info == MotorInfo("magnet", "simulated-magnet", "mm", 0.0, 10.0)
    other = Scope.attach(moving.engine.engine_id)
    try:
        assert [reading.info for reading in other.motors()] == [focus.info, magnet.info]
        moving.move("magnet", 3.0)
        assert other.motor_positions()["magnet"] == 3.0
    finally:
        other.detach()


def test_the_way_is_seen_and_kept_with_its_times(moving: Scope) -> None:
    moving.move("focus", 0.0)
    began_ns = time.monotonic_ns()
    moving.move("focus", 2.0, wait=False)
    time.sleep(0.2)
    focus = moving.motors()[0]
    assert (focus.moving, focus.target) == (True, 2.0)
    assert 0.2 < focus.position < 1.9
    moving.wait_for(lambda scope: not scope.motors()[0].moving)
    history = moving.motor_history("focus", began_ns)
    assert (history["time_ns"] > began_ns).all()
    assert (np.diff(history["time_ns"]) >= 0).all()
    assert (np.diff(history["value"]) >= 0).all()
    on_the_way = history[(history["value"] > 0) & (history["value"] < 2)]
    assert len(on_the_way) > 20
    speed = np.polyfit(on_the_way["time_ns"] * 1e-9, on_the_way["value"], 1)[0]
    assert speed == pytest.approx(SLOW, rel=0.02)
    newest = int(history["time_ns"][-1])
    assert len(moving.motor_history("focus", newest)) <= 2
    with pytest.raises(InputError, match="no motor named 'stage'"):
        moving.motor_history("stage")


def test_stop_halts_at_once_and_whoever_waits_is_told(moving: Scope) -> None:
    moving.move("focus", 0.0)
    threading.Timer(0.2, moving.stop_motors).start()
    with pytest.raises(DeviceError, match="stopped or sent elsewhere"):
        moving.move("focus", 40.0)
    here = moving.motors()[0]
    assert not here.moving
    assert 0 < here.position < 10
    assert here.target == here.position
    time.sleep(0.15)
    assert moving.motors()[0].position == here.position
    with pytest.raises(InputError, match="no motor named 'stage'"):
        moving.stop_motor("stage")


def test_a_cancelled_move_halts(moving: Scope) -> None:
    moving.move("focus", 0.0)
    moving.move("focus", -40.0, cancelled=lambda: moving.motor_positions()["focus"] < -0.2)
    focus = moving.motors()[0]
    assert not focus.moving
    assert -2 < focus.position < -0.2


def test_beyond_the_limits_names_them(moving: Scope) -> None:
    before = moving.motor_positions()
    with pytest.raises(DeviceError, match=r"cannot go to 11 mm: choose from 0 to 10 mm"):
        moving.move("magnet", 11.0)
    assert moving.motor_positions() == before


def test_a_motor_is_removed_and_its_place_is_free_for_another(options: dict) -> None:
    scope = Scope("simulated", options=options, settings={"engine.ring_mb": 64})
    for name, start in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        scope.add_hardware(name, "simulated-focus", start=start, speed=SLOW)
    with scope:
        pid = worker_pid(scope, "motor-b")
        scope.remove_hardware("b")
        assert not psutil.pid_exists(pid)
        assert scope.motor_positions() == {"a": 1.0, "c": 3.0}
        scope.add_hardware("d", "simulated-magnet", start=4.0)
        assert scope.motor_positions() == {"a": 1.0, "c": 3.0, "d": 4.0}
        assert (scope.motor_history("d")["value"] == 4.0).all()  # none of b's
        scope.add_hardware("b", "simulated-focus", start=-5.0)
        assert scope.motor_positions()["b"] == -5.0  # it does not go on where the other one was
        scope.move("c", 3.2)
        states = {worker.name: worker for worker in scope.status().workers}
        assert {"motor-a", "motor-b", "motor-c", "motor-d"} <= set(states)
        assert worker_pid(scope, "motor-c") != worker_pid(scope, "motor-d")
        assert all(psutil.pid_exists(worker.pid) for worker in states.values())
        with pytest.raises(InputError, match="no motor named 'e'"):
            scope.remove_hardware("e")


def test_a_killed_motor_holds_its_place_and_comes_back(options: dict) -> None:
    scope = Scope("simulated", options=options, settings={"engine.ring_mb": 64})
    scope.add_hardware("focus", "simulated-focus", speed=SLOW)
    with scope:
        events: list[object] = []
        unsubscribe = scope.on_event(events.append)
        pid = worker_pid(scope, "motor-focus")
        killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(BeadscopeError, match=r"focus.*died"):
            scope.move("focus", 40.0)
        left = scope.motor_positions()["focus"]
        assert 0.2 < left < 10
        scope.wait_for(lambda scope: any(isinstance(event, MotorsChanged) for event in events))
        unsubscribe()
        lost = next(event for event in events if isinstance(event, WorkerLost))
        assert (lost.name, lost.restarted) == ("motor-focus", True)
        focus = scope.motors()[0]
        assert focus.position == pytest.approx(left, abs=0.05)
        assert not focus.moving
        scope.move("focus", left + 0.5)
        assert scope.motor_positions()["focus"] == pytest.approx(left + 0.5)
