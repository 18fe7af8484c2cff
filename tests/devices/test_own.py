"""Motors, sensors and cameras of a user's own: found, made, and refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.devices import (
    Motor,
    MotorBase,
    Sensor,
    absolute_id,
    motor_options,
    open_camera,
    open_motor,
)

LIFT = """
from napari_beadscope.devices import MotorBase, SensorBase
from helper_of_mine import START


class Lift(MotorBase):
    unit, limits = "mm", (0.0, 5.0)

    def __init__(self, port: str, axis: int = 1, *, speed=2.5):
        if axis > 3:
            raise ValueError("the controller has 3 axes")
        self.port, self.axis, self.here = port, axis, START

    def go(self, target):
        self.here = target

    def position(self):
        return self.here

    def travelling(self):
        return False

    def halt(self):
        pass


class Weigh(SensorBase):
    unit = "mg"

    def read(self):
        return 5.0


class Nothing:
    name, unit, limits = "nothing", "mm", (0, 1)

    def open(self): ...
    def close(self): ...
    def position(self):
        return 0.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my stage.py"
    path.write_text(LIFT, encoding="utf-8")
    (tmp_path / "helper_of_mine.py").write_text("START = 1.5", encoding="utf-8")
    return path


def test_a_class_in_a_file_is_a_motor(file: Path) -> None:
    motor = open_motor(f"{file}:Lift", {"port": "COM3", "axis": 2})
    assert isinstance(motor, Motor)
    with motor:
        assert (motor.name, motor.port, motor.axis) == ("lift", "COM3", 2)  # type: ignore[attr-defined]
        motor.move_to(4)
        assert motor.position() == 4.0
        with pytest.raises(DeviceError, match="the lift motor cannot go to 6 mm: choose from 0"):
            motor.move_to(6)
    assert isinstance(open_motor(f"{file}:Weigh"), Sensor)


def test_its_arguments_are_its_options(file: Path) -> None:
    fields = motor_options(f"{file}:Lift").model_fields
    assert list(fields) == ["port", "axis", "speed"]
    assert fields["port"].is_required()
    assert fields["axis"].annotation is int
    assert fields["speed"].default == 2.5


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Lift", {}, "option port of Lift is wrong: field required"),
        ("Lift", {"port": "A", "axes": 1}, "option axes of Lift .* options are port, axis, speed"),
        ("Lift", {"port": "A", "axis": "x"}, "option axis of Lift is wrong: .*valid integer"),
        ("Lift", {"port": "A", "axis": 9}, r"Lift cannot be made \(ValueError: .* 3 axes"),
        ("Nothing", {}, "is no motor or sensor: it lacks .*add that to .* or derive it from"),
        ("Lost", {}, "there is no class Lost in .*it has Lift, Weigh, Nothing"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    file: Path, name: str, options: dict, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_motor(f"{file}:{name}", options)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module', line 1"),
        ("\n\nx = = 1", r"SyntaxError: .*, line 3"),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError: division by zero, line 2"),
    ],
)
def test_a_file_that_cannot_be_run_says_the_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        open_motor(f"{path}:Stage")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("nowhere.py:Stage", "there is no file .*nowhere.py"),
        ("no_such.package:Stage", "the module no_such.package cannot be imported"),
        ("stage", "there is no motor 'stage'.*path/to/file.py:ClassName"),
        ("a:b", "there is no motor 'a:b'"),
        ("", "there is no motor ''"),
        (":", "there is no motor ':'"),
    ],
)
def test_an_id_that_leads_nowhere_says_so(device: str, words: str) -> None:
    with pytest.raises(BeadscopeError, match=words):
        open_motor(device)


def test_a_class_of_a_package_will_do() -> None:
    motor = open_motor("napari_beadscope.devices.simulated.motor:SimulatedThermometer", {
        "options": motor_options("simulated-temperature")()
    })  # fmt: skip
    assert isinstance(motor, Sensor)
    with pytest.raises(InputError, match=r"cannot be made .*abstract"):
        open_motor(f"{MotorBase.__module__}:MotorBase")


def test_a_motor_is_no_camera(file: Path) -> None:
    with pytest.raises(InputError, match="Lift is no camera: it lacks can_wait"):
        open_camera(f"{file}:Lift", {"port": "A"})


def test_a_path_means_the_same_everywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert absolute_id("my stage.py:Lift") == f"{file}:Lift"
    assert absolute_id("simulated:left") == "simulated:left"
    assert absolute_id("lab.motors:Lift") == "lab.motors:Lift"
