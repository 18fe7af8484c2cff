"""What all motors have in common: once open, within limits, settled; and what they may not say."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices import MotorBase, SensorBase, reach_of


class Lift(MotorBase):
    unit: Any = "mm"
    limits: Any = (0.0, 5.0)
    travels = False

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.here = 0.0

    def connect(self) -> None:
        self.calls.append("connect")

    def disconnect(self) -> None:
        self.calls.append("disconnect")

    def go(self, target: float) -> None:
        self.here = target

    def position(self) -> float:
        return self.here

    def travelling(self) -> bool:
        return self.travels

    def halt(self) -> None:
        self.calls.append("halt")


class Barometer(SensorBase):
    unit = "hPa"

    def read(self) -> float:
        return 1013.0


def test_it_is_connected_once_and_halted_before_it_is_let_go() -> None:
    lift = Lift()
    lift.close()
    with lift:
        lift.open()
    lift.close()
    assert lift.calls == ["connect", "halt", "disconnect"]


def test_it_is_let_go_of_even_if_it_cannot_be_halted() -> None:
    class Stuck(Lift):
        def halt(self) -> None:
            raise OSError("no answer")

    stuck = Stuck()
    stuck.open()
    with pytest.raises(OSError, match="no answer"):
        stuck.close()
    assert stuck.calls[-1] == "disconnect"
    stuck.close()


def test_it_settles_after_it_has_travelled() -> None:
    class Slow(Lift):
        settle_s = 0.3

    with Slow() as slow:
        assert not slow.moving()
        slow.travels = True
        slow.move_to(2.0)
        assert slow.moving()
        slow.travels = False
        assert slow.moving()
        ended = time.monotonic()
        while slow.moving():
            time.sleep(0.005)
        assert time.monotonic() - ended > 0.2
        slow.move_to(3.0)
        slow.stop()
        assert not slow.moving()


@pytest.mark.parametrize("unit", [None, "", 5, "micrometres, about"])
def test_a_unit_that_is_none_is_refused(unit: Any) -> None:
    lift = Lift()
    lift.unit = unit
    with pytest.raises(DeviceError, match=r"the unit of lift is .*: let its class say"):
        reach_of(lift)


@pytest.mark.parametrize(
    "limits", [None, (0,), (5, 0), (1, 1), (np.nan, 3), (0, np.inf), ("a", "b")]
)
def test_limits_that_are_none_are_refused(limits: Any) -> None:
    lift = Lift()
    lift.limits = limits
    with pytest.raises(DeviceError, match=r"the limits of lift are .*: let its class"):
        reach_of(lift)


def test_what_is_told_is_plain() -> None:
    lift = Lift()
    lift.limits = (np.float32(1.5), 3)
    assert reach_of(lift) == ("mm", (1.5, 3.0))
    assert all(type(limit) is float for limit in reach_of(lift)[1])
    assert reach_of(Barometer()) == ("hPa", (0.0, 0.0))
