"""Motors of one's own and sensors in a running engine, and their positions in a recording."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording

MINE = '''
import os
from napari_beadscope.devices import MotorBase


class Turret(MotorBase):
    """Says what it was made with, and breaks when it is sent to 13."""

    unit, limits, place = "slot", (0.0, 20.0), 0.0

    def __init__(self, first: float = 2.0):
        self.place = first

    def go(self, target):
        if target == 13:
            raise ValueError("slot 13 is jammed")
        self.place = target

    def position(self):
        if os.path.exists(__file__ + ".unplugged"):
            raise OSError("the cable is out")
        return self.place

    def travelling(self):
        return False

    def halt(self):
        pass
'''


def test_a_file_of_one_s_own_is_a_motor_with_all_that_belongs_to_it(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "turret.py"
    path.write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with Scope("simulated", options=options, settings={"engine.ring_mb": 64}) as scope:
        scope.add_hardware("filter", "turret.py:Turret", first=3.0)  # from where the user is
        (reading,) = scope.motors()
        assert reading.info.motor == f"{path}:Turret"
        assert (reading.info.unit, reading.info.low, reading.info.high) == ("slot", 0.0, 20.0)
        assert reading.position == 3.0
        scope.move("filter", 7.0)
        assert scope.motor_positions()["filter"] == 7.0
        with pytest.raises(DeviceError, match=r"ValueError: slot 13 is jammed"):
            scope.move("filter", 13.0)
        with pytest.raises(DeviceError, match="cannot go to 21 slot: choose from 0 to 20 slot"):
            scope.move("filter", 21.0)
        scope.move("filter", 8.0)  # it goes on
        for name, bad, words in (
            ("a", "turret.py:Lift", "there is no class Lift in .*turret.py"),
            ("b", "nowhere.py:Lift", "there is no file .*nowhere.py"),
        ):
            with pytest.raises(InputError, match=words):
                scope.add_hardware(name, bad)
        with pytest.raises(InputError, match="option last of Turret is wrong"):
            scope.add_hardware("c", "turret.py:Turret", last=1)
        unplugged = Path(f"{path}.unplugged")
        unplugged.touch()  # its process ends, and tries again
        scope.wait_for(
            lambda scope: any(
                worker.name == "motor-filter" and worker.restarts
                for worker in scope.status().workers
            ),
            30,
        )
        unplugged.unlink()

        def is_back(scope: Scope) -> bool:
            workers = {worker.name: worker for worker in scope.status().workers}
            return workers["motor-filter"].state == "READY"

        scope.wait_for(is_back, 60)
        scope.move("filter", 5.0)
        assert scope.motor_positions()["filter"] == 5.0


def test_a_recording_holds_where_motors_were_also_after_its_recorder_was_killed(
    options: dict, tmp_path: Path
) -> None:
    scope = Scope("simulated", options=options, settings={"engine.ring_mb": 64})
    scope.add_hardware("magnet", "simulated-magnet", speed=2.0, start=1.0)
    scope.add_hardware("temperature", "simulated-temperature", swing=0, noise=0, mean=37)
    with scope:
        thermometer = next(one for one in scope.motors() if one.info.name == "temperature")
        assert not thermometer.info.moves
        assert (thermometer.position, thermometer.info.unit) == (37.0, "°C")
        with pytest.raises(InputError, match="temperature is a sensor and does not move"):
            scope.move("temperature", 20.0)
        scope.start_live()
        folder = scope.start_recording(tmp_path, mode="full", name="moved")
        scope.wait_for(lambda scope: scope.status().recorded_frames > 20, 30)
        scope.move("magnet", 3.0)
        recorder = next(one for one in scope.status().workers if one.name == "recorder")
        os.kill(recorder.pid, signal.SIGKILL)
        scope.wait_for(
            lambda scope: any(
                one.name == "recorder" and one.restarts and one.state == "RUNNING"
                for one in scope.status().workers
            ),
            60,
        )
        scope.move("magnet", 1.5)
        seen = scope.motor_history("magnet")
        scope.stop_recording()
    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    assert any(file.kind == "motors" for file in recording.manifest.files)
    motors = recording.motors
    magnet = motors[motors["motor"] == "magnet"]
    assert (np.diff(magnet["time_s"]) >= 0).all()  # each sample once
    first_s = recording.manifest.first_time_ns * 1e-9
    inside = seen[seen["time_ns"] * 1e-9 >= first_s]
    place = recording.motor_positions("magnet", inside["time_ns"] * 1e-9 - first_s)
    assert place == pytest.approx(inside["value"], abs=1e-3)  # all that the engine knew
    at_frames = recording.motor_positions("magnet")
    assert at_frames[0] == 1.0
    assert at_frames.max() > 1.0  # frames may lag behind, or be lost, on a busy machine
    assert magnet["position"].max() == pytest.approx(3.0)
    assert magnet["position"][-1] == pytest.approx(1.5)
    assert recording.motor_positions("temperature") == pytest.approx(37.0)
