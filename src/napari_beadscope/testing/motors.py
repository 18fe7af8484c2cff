"""What every motor and sensor must do, as tests that any implementation can inherit.

Owns the contract of `napari_beadscope.devices.Motor` and `Sensor`. Must not know any device. A
motor of one's own is tested by a class that gives it as a fixture, not yet opened::

    class TestMyMotor(MotorContract):
        @pytest.fixture
        def motor(self):
            return MyMotor()
"""

from __future__ import annotations

import math
import time

import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.camera import Motor, ResumableMotor, Sensor


class MotorContract:
    """Inherit and define the fixture ``motor``: a motor, not yet opened.

    Attributes
    ----------
    patience_s : float
        Time within which it goes a `step` of its range.
    step : float
        How far it is sent, as a fraction of its range.
    tolerance : float
        How well it gets there and stays there, in its unit.
    """

    patience_s = 20.0
    step = 0.1
    tolerance = 1e-3

    def _arrive(self, motor: Motor) -> None:
        end = time.monotonic() + self.patience_s
        while motor.moving():
            assert time.monotonic() < end, f"it has not arrived after {self.patience_s} s"
            time.sleep(0.002)

    def _near(self, motor: Motor) -> float:
        low, high = motor.limits
        here = motor.position()
        step = (high - low) * self.step
        return here + step if here + step <= high else here - step

    def test_says_what_it_is(self, motor: Motor) -> None:
        """It has all names of the Protocol, and starts at rest within its limits."""
        with motor:
            assert isinstance(motor, Motor)
            assert not isinstance(motor, Sensor), "a motor has no method `read`"
            assert isinstance(motor.name, str)
            assert motor.name
            assert isinstance(motor.unit, str)
            assert motor.unit
            low, high = motor.limits
            assert math.isfinite(low)
            assert math.isfinite(high)
            assert low < high
            assert low - self.tolerance <= motor.position() <= high + self.tolerance
            assert not motor.moving()

    def test_opens_and_closes_any_number_of_times(self, motor: Motor) -> None:
        """Open and close are idempotent, in any order; it works after that."""
        motor.close()
        for _ in range(2):
            motor.open()
            motor.open()
            motor.close()
            motor.close()
        with motor:
            motor.move_to(motor.position())
            self._arrive(motor)

    def test_goes_where_it_is_sent_and_back(self, motor: Motor) -> None:
        """`move_to` returns at once; when it no longer moves it is there, and stays."""
        with motor:
            start, target = motor.position(), self._near(motor)
            for goal in (target, start):
                motor.move_to(goal)
                self._arrive(motor)
                assert motor.position() == pytest.approx(goal, abs=self.tolerance)
                time.sleep(0.02)
                assert not motor.moving()
                assert motor.position() == pytest.approx(goal, abs=self.tolerance)

    def test_can_be_sent_elsewhere_on_the_way(self, motor: Motor) -> None:
        """A target given while it moves takes the place of the one before."""
        with motor:
            start, target = motor.position(), self._near(motor)
            motor.move_to(target)
            motor.move_to(start)
            self._arrive(motor)
            assert motor.position() == pytest.approx(start, abs=self.tolerance)

    def test_stops_on_the_way(self, motor: Motor) -> None:
        """After `stop` it stands still, between where it was and where it was going."""
        with motor:
            here, target = motor.position(), self._near(motor)
            motor.move_to(target)
            motor.stop()
            self._arrive(motor)
            there = motor.position()
            assert min(here, target) - self.tolerance <= there <= max(here, target) + self.tolerance
            time.sleep(0.05)
            assert motor.position() == pytest.approx(there, abs=self.tolerance)
            motor.stop()  # which does nothing to a motor at rest
            motor.move_to(here)
            self._arrive(motor)
            assert motor.position() == pytest.approx(here, abs=self.tolerance)

    def test_refuses_to_leave_its_limits(self, motor: Motor) -> None:
        """Targets outside the limits and no numbers are errors, and it stays where it is."""
        with motor:
            here = motor.position()
            low, high = motor.limits
            for bad in (low - 1, high + 1, math.nan, math.inf, -math.inf):
                with pytest.raises(DeviceError, match=motor.name) as caught:
                    motor.move_to(bad)
                assert caught.value.remedy, "it does not say what is possible"
            assert not motor.moving()
            assert motor.position() == pytest.approx(here, abs=self.tolerance)

    def test_needs_to_be_open(self, motor: Motor) -> None:
        """A motor that is not open does not move, and says so."""
        with pytest.raises(DeviceError):
            motor.move_to(motor.limits[0])

    def test_rests_where_its_predecessor_was(self, motor: Motor) -> None:
        """One that keeps its place in memory only takes it over; others know better."""
        with motor:
            if isinstance(motor, ResumableMotor):
                place = self._near(motor)
                motor.resume_at(place)
                assert not motor.moving()
                assert motor.position() == pytest.approx(place, abs=self.tolerance)


class SensorContract:
    """Inherit and define the fixture ``sensor``: a sensor, not yet opened."""

    def test_says_what_it_is(self, sensor: Sensor) -> None:
        """It has all names of the Protocol, and none of a motor."""
        with sensor:
            assert isinstance(sensor, Sensor)
            assert not isinstance(sensor, Motor)
            assert sensor.name
            assert sensor.unit

    def test_reads_numbers(self, sensor: Sensor) -> None:
        """`read` returns a number every time."""
        with sensor:
            assert all(math.isfinite(float(sensor.read())) for _ in range(5))

    def test_opens_and_closes_any_number_of_times(self, sensor: Sensor) -> None:
        """Open and close are idempotent, in any order."""
        sensor.close()
        for _ in range(2):
            sensor.open()
            sensor.open()
            sensor.close()
            sensor.close()
