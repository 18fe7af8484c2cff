"""Motors and focus sweeps without processes, for the fake scope."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.types import MotorInfo
from napari_beadscope.script.instruments import MotorReading
from napari_beadscope.script.swept import SweptPlane, ZLutSweep
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking.zlut_build import measure_sweep
from napari_beadscope.tracking.zlut_report import report_sweep
from napari_beadscope.tracking.zlut_words import report_notes

FOCUS = MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0)
MAGNET = MotorInfo("magnet", "simulated-magnet", "mm", 0.0, 10.0)


class FakeMotors:
    """Motors that are there at once, or `slow`: they never arrive."""

    def __init__(self) -> None:
        self.slow = False
        self.sweeps: list[dict[str, Any]] = []
        self.wait_after_plane: threading.Event | None = None  # the fourth plane waits for it
        now = time.monotonic_ns()
        self.readings = {
            "focus": MotorReading(FOCUS, 0.0, 0.0, False, now),
            "magnet": MotorReading(MAGNET, 1.0, 1.0, False, now),
        }

    def motors(self) -> tuple[MotorReading, ...]:
        return tuple(self.readings.values())

    def move(self, motor: str, target: float, *, wait: bool = True) -> None:
        self._called("move")
        now = self.readings[motor]
        if not now.info.low <= target <= now.info.high:
            raise DeviceError(f"the {motor} motor cannot go to {target:g}", "stay inside")
        here = now.position if self.slow else target
        self.readings[motor] = replace(now, position=here, target=target, moving=self.slow)

    def stop_motor(self, motor: str) -> None:
        self._called("stop_motor")
        now = self.readings[motor]
        self.readings[motor] = replace(now, target=now.position, moving=False)

    def stop_motors(self) -> None:
        self._called("stop_motors")
        for motor in self.readings:
            self.stop_motor(motor)

    def add_hardware(self, name: str, motor: str, **options: Any) -> None:
        self._called("add_hardware")
        if name in self.readings:
            raise InputError(f"there is a motor named {name!r} already", "choose another name")
        if "temperature" in motor:
            info = MotorInfo(name, motor, "°C", 0.0, 0.0)
        else:
            ends = options.get("low", -50.0), options.get("high", 50.0)
            info = MotorInfo(name, motor, "turn" if "rotation" in motor else "um", *ends)
        self.readings[name] = MotorReading(info, 0.0, 0.0, False, time.monotonic_ns())

    def remove_hardware(self, name: str) -> None:
        self._called("remove_hardware")
        if name not in self.readings:
            raise InputError(f"there is no motor named {name!r}", "see which there are")
        del self.readings[name]

    def again(self) -> Any:
        self._called("again")
        return self

    def sweep_zlut(self, beads: Any = None, **asked: Any) -> ZLutSweep:
        """Go through a few planes at once and write a Z-LUT of drawn rings."""
        self._called("sweep_zlut")
        self.sweeps.append({"beads": beads, **asked})
        z_nm = np.arange(-500.0, 501.0, 100.0)[::-1]
        stack = rings(np.full(11, 23.5), np.full(11, 23.5), z_nm)
        ids = list(beads or [0])
        try:
            for place, height in enumerate(z_nm):
                asked["progress"](place, 14, f"plane {place + 1} of 11")
                radius = np.arange(24)
                profile = 100 + 40 * np.cos(radius / 2 - height / 300)
                planes = dict.fromkeys(ids, profile), dict.fromkeys(ids, 5)
                asked["on_plane"](SweptPlane(place + 1, 11, -height / 1000, height, *planes))
                if place == 3 and self.wait_after_plane is not None:
                    asked["progress"](place, 14, "plane 4 of 11")
                    self.wait_after_plane.wait(10)
        finally:
            self.calls.append("focus is back")
        report = report_sweep(measure_sweep(stack, z_nm))
        path = Path(asked["folder"]) / "zlut.txt"
        path.parent.mkdir(parents=True)
        report.zlut.save(path, report_notes(report))
        self.set_calibration(zlut=str(path))
        return ZLutSweep(path, report, dict.fromkeys(ids, path), {}, 12.0)
