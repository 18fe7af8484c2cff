"""Simulated motors: settling, play and noise; the thermometer."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.devices import Motor, Sensor, list_motors, motor_options, open_motor


def arrive(motor: Motor) -> None:
    end = time.monotonic() + 20
    while motor.moving():
        assert time.monotonic() < end
        time.sleep(0.001)


def piezo(**options: float) -> Motor:
    motor = open_motor("simulated-focus", options)
    assert isinstance(motor, Motor)
    return motor


def test_settling_follows_its_time_constant() -> None:
    with piezo(speed=1e6, settle_s=0.2) as motor:
        began = time.monotonic()
        motor.move_to(10.0)
        seen = []
        while motor.moving():
            before = time.monotonic()
            place = motor.position()
            seen.append((before - began, time.monotonic() - began, place))
            time.sleep(0.005)
        for before, after, place in seen:  # a step's response, whenever it was looked at
            early, late = (10 * (1 - np.exp(-t / 0.2)) for t in (before, after))
            assert early - 0.05 <= place <= late + 1e-9
        assert motor.position() == pytest.approx(10.0, abs=1e-3)
        assert time.monotonic() - began > 0.2 * np.log(10 / 1e-3)  # to a nm


def test_it_lags_behind_on_a_slow_way_and_is_continuous_when_turned_round() -> None:
    with piezo(speed=5.0, settle_s=0.1) as motor:
        began = time.monotonic()
        motor.move_to(20.0)
        time.sleep(0.8)
        place = motor.position()
        assert place <= 5.0 * (time.monotonic() - began - 0.1) + 1e-2
        assert place >= 5.0 * (0.8 - 0.1) - 1e-2
        motor.move_to(0.0)
        assert motor.position() == pytest.approx(place, abs=0.5)
        motor.stop()
        assert not motor.moving()


def test_play_is_felt_when_it_turns_round_only() -> None:
    with piezo(speed=1e6, hysteresis=0.2) as motor:
        places = []
        for target in (5.0, 6.0, 5.95, 5.0, 4.95, 5.05, 6.0):
            motor.move_to(target)
            arrive(motor)
            places.append(motor.position())
    assert places == pytest.approx([4.9, 5.9, 5.9, 5.1, 5.05, 5.05, 5.9])


def test_noise_is_of_the_stated_size_and_does_not_keep_it_moving() -> None:
    with piezo(speed=1e6, noise=0.05) as motor:
        motor.move_to(3.0)
        arrive(motor)
        places = np.array([motor.position() for _ in range(3000)])
        assert not motor.moving()
    assert places.mean() == pytest.approx(3.0, abs=0.005)
    assert places.std() == pytest.approx(0.05, rel=0.1)


def test_options_say_their_unit() -> None:
    for kind in list_motors():
        if kind.id.startswith("simulated-"):
            fields = motor_options(kind.id).model_fields
            assert all(field.description for field in fields.values())
    assert motor_options("simulated-rotation").model_fields["speed"].description == "speed, turn/s"
    with pytest.raises(InputError, match=r"option hysteresis .* focus is -1.*greater than"):
        open_motor("simulated-focus", {"hysteresis": -1})


def test_the_thermometer_swings_about_its_mean() -> None:
    sensor = open_motor("simulated-temperature", {"mean": 30, "swing": 2, "period_s": 0.5})
    assert isinstance(sensor, Sensor)
    assert not isinstance(sensor, Motor)
    with sensor:
        values = []
        end = time.monotonic() + 20
        while not values or (min(values) > 28.5 or max(values) < 31.5):
            assert time.monotonic() < end
            values.append(sensor.read())
            time.sleep(0.01)
    assert max(values) < 32.2
    assert min(values) > 27.8
    with pytest.raises(InputError, match="option mean of the simulated temperature is 'hot'"):
        open_motor("simulated-temperature", {"mean": "hot"})
