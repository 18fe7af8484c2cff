"""The motor and sensor contracts, against every motor and sensor that needs no vendor's library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_beadscope.devices import Motor, Sensor, open_motor
from napari_beadscope.testing.motors import MotorContract, SensorContract

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_motor.py"
IMPERFECT = {"speed": 200.0, "settle_s": 0.01, "hysteresis": 0.04, "noise": 1e-3}


@pytest.mark.parametrize("name", ["simulated-focus", "simulated-magnet", "simulated-rotation"])
class TestSimulatedMotor(MotorContract):
    step = 0.05

    @pytest.fixture
    def motor(self, name: str) -> Any:
        return open_motor(name, {"speed": 1000})


class TestImperfectPiezo(MotorContract):
    tolerance = 0.03  # half the play, and noise

    @pytest.fixture
    def motor(self) -> Any:
        return open_motor("simulated-focus", IMPERFECT)


class TestMyMotor(MotorContract):
    tolerance = 0.002

    @pytest.fixture
    def motor(self) -> Motor | Sensor:
        return open_motor(f"{EXAMPLE}:MagnetLift", {"speed_mm_per_s": 50.0})


class TestSimulatedThermometer(SensorContract):
    @pytest.fixture
    def sensor(self) -> Motor | Sensor:
        return open_motor("simulated-temperature")
