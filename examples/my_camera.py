"""A camera of your own, in a file of your own, over the library that its maker gives you.

`LabCamera` is all that is needed: ``Scope("my_camera.py:LabCamera")`` streams, tracks and records
with it, and says which frames were lost. ``napari_beadscope.testing.cameras`` tests it.
"""

from __future__ import annotations

import time

import numpy as np

from napari_beadscope import Scope, open_recording
from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices import Property
from napari_beadscope.devices.camera import check_target, find_property
from napari_beadscope.devices.vendor import FrameCounter


class LabCamera(Opening):
    """A camera that cannot wait: what is not fetched in time is lost, and shows in the numbers."""

    can_wait = False

    def __init__(self, serial: str = "0815", exposure_ms: float = 5.0) -> None:
        self.lock_name = f"lab-camera-{serial}"  # one engine at a time may have it
        self.serial, self.exposure_ms = serial, exposure_ms
        self.device: MakersLibrary | None = None
        self.counter = FrameCounter()

    @property
    def fps(self) -> float:
        return 1000 / self.exposure_ms

    @property
    def format(self) -> FrameFormat:
        return FrameFormat(120, 160, "uint8")

    def open(self) -> None:
        if self.device is None:
            self.device = MakersLibrary(self.serial, self.exposure_ms)

    def close(self) -> None:
        self.stop()
        self.device = None

    def start(self) -> None:
        if self.device is None:
            raise DeviceError("the lab camera is not open", "open it first")
        self.device.begin()

    def stop(self) -> None:
        if self.device is not None:
            self.device.end()

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        if self.device is None or not self.device.runs:
            raise DeviceError("the lab camera is not started", "call start first")
        check_target(out, self.format)
        found = self.device.fetch(timeout_s)
        if found is None:
            return None
        counted, exposed_ns, image = found
        out[...] = image
        return FrameStamp(self.counter.number(counted), exposed_ns)

    def properties(self) -> tuple[Property, ...]:
        return (Property("exposure_ms", "ms", "float", 2.0, 100.0, (), self.exposure_ms),)

    def get(self, name: str) -> float | str:
        return find_property(self, name).value

    def set(self, name: str, value: float | str) -> None:
        self.exposure_ms = float(find_property(self, name).check(value))
        if self.device is not None:
            self.device.pace(self.exposure_ms)


class MakersLibrary:
    """Stands in for a maker's library, so that this runs without a camera: three round beads."""

    buffers = 20

    def __init__(self, serial: str, exposure_ms: float) -> None:
        y, x = np.mgrid[:120, :160]
        squares = [
            (y - row) ** 2 + (x - column) ** 2 for row, column in ((40, 40), (80, 60), (60, 120))
        ]
        rings = sum(np.cos(r2 / 40) * np.exp(-r2 / 150) for r2 in squares)
        self.clean, self.draw = 120 + 90 * rings, np.random.default_rng(1)
        self.count, self.due_ns, self.runs = 0, 0, False
        self.pace(exposure_ms)

    def pace(self, exposure_ms: float) -> None:
        self.frame_ns = round(exposure_ms * 1e6)

    def begin(self) -> None:
        if not self.runs:
            self.runs, self.due_ns = True, time.monotonic_ns() + self.frame_ns

    def end(self) -> None:
        self.runs = False

    def fetch(self, timeout_s: float) -> tuple[int, int, np.ndarray] | None:
        missed = (time.monotonic_ns() - self.due_ns) // self.frame_ns - self.buffers
        if missed > 0:  # its buffers were full
            self.count, self.due_ns = self.count + missed, self.due_ns + missed * self.frame_ns
        wait_s = (self.due_ns - time.monotonic_ns()) / 1e9
        if wait_s > timeout_s:
            time.sleep(max(timeout_s, 0.0))
            return None
        time.sleep(max(wait_s, 0.0))
        noise = self.draw.normal(0, 2, self.clean.shape)
        found = (self.count, self.due_ns, (self.clean + noise).clip(0, 255).astype(np.uint8))
        self.count, self.due_ns = self.count + 1, self.due_ns + self.frame_ns
        return found


if __name__ == "__main__":
    with Scope(f"{__file__}:LabCamera", options={"exposure_ms": 10.0}) as scope:
        scope.start_live()
        beads = scope.find_beads()
        print(f"{len(beads)} beads in frames of {scope.status().width_px} px")
        scope.set_camera(exposure_ms=8.0)
        folder = scope.record("recordings", mode="track+full", frames=100, name="mine")
    recording = open_recording(folder)
    lost = sum(gap.last - gap.first + 1 for gap in recording.gaps)
    print(f"{len(recording.frames)} frames and {len(recording.tracks)} rows are saved, {lost} lost")
    assert len(recording.frames)
    assert len(recording.tracks)
