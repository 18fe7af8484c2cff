"""The simulated microscope as a camera that cannot wait.

Owns pace, buffer and properties: frame k is exposed at ``start + k / fps`` whether anyone reads
or not; of unread frames the newest `buffer_frames` are kept, older ones are lost and show as a
jump of the frame number, as with a real camera. Frames are rendered when read, which is the same
because frame k is a pure function. Must not know how they are rendered.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.camera import MotorReadout, Property, check_target, find_property
from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.devices.simulated.options import (
    MIN_ROI_PX,
    SimulatedOptions,
    simulated_options,
)


class SimulatedCamera(Opening):
    """A camera over a `SimulatedMicroscope`.

    Frame numbers start at 0 when the camera is opened and go on after `stop` and `start`. A
    change of any property acts from the next frame read; `microscope` then tells the truth for
    frames from there on.

    Parameters
    ----------
    options : SimulatedOptions or dict, optional
        See `SimulatedOptions`.
    motors : MotorReadout, optional
        Called once per frame for 'focus' (um), 'magnet' (mm) and 'rotation' (turns); without it
        they rest at 0.
    name : str
        Not '' makes the camera exclusive under ``simulated:NAME``.

    Examples
    --------
    >>> with SimulatedCamera({"beads": 2, "fps": 500}) as camera:
    ...     camera.start()
    ...     image = np.empty(camera.format.shape, camera.format.dtype)
    ...     camera.read_into(image, timeout_s=1).frame
    0
    """

    can_wait = False

    def __init__(
        self,
        options: SimulatedOptions | dict[str, Any] | None = None,
        motors: MotorReadout | None = None,
        name: str = "",
    ) -> None:
        self.lock_name = f"simulated:{name}" if name else ""
        self._options = simulated_options(options)
        self._motors = motors
        self._microscope: SimulatedMicroscope | None = None
        self._next = 0
        self._running = False
        # frame `_origin` is exposed at `_origin_ns`
        self._origin, self._origin_ns = 0, 0

    @property
    def fps(self) -> float:
        """Frame rate, 1/s."""
        return self._options.fps

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return FrameFormat(*self._options.window.shape, self._options.dtype)

    @property
    def microscope(self) -> SimulatedMicroscope:
        """What is being filmed, with its ground truth; DeviceError before `open`."""
        if self._microscope is None:
            raise DeviceError("the simulated camera is not open", "open it first")
        return self._microscope

    def open(self) -> None:
        """Build the microscope and compile the renderer; frame numbers start at 0."""
        if self._microscope is None:
            self._microscope = SimulatedMicroscope(self._options)
            self._microscope.warm_up()
            self._next = 0

    def close(self) -> None:
        """Stop and forget the microscope."""
        self.stop()
        self._microscope = None

    def start(self) -> None:
        """Expose the next frame now and the others at the frame rate."""
        if self._running:
            return
        self.microscope  # noqa: B018  raises if not open
        self._running = True
        self._origin, self._origin_ns = self._next, time.monotonic_ns()

    def stop(self) -> None:
        """Expose no more frames; unread ones are gone, their numbers are not used again."""
        if self._running:
            self._next = max(self._next, self._exposed(time.monotonic_ns()))
        self._running = False

    def _exposed(self, now_ns: int) -> int:
        """Return the number after the last frame exposed."""
        return self._origin + int((now_ns - self._origin_ns) * self._options.fps / 1e9) + 1

    def _due_ns(self, frame: int) -> int:
        return self._origin_ns + round((frame - self._origin) * 1e9 / self._options.fps)

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Render the oldest unread frame; see `Camera.read_into`."""
        if not self._running:
            raise DeviceError("the simulated camera is not started", "call start first")
        check_target(out, self.format)
        now_ns = time.monotonic_ns()
        self._next = max(self._next, self._exposed(now_ns) - self._options.buffer_frames)
        frame = self._next
        due_ns = self._due_ns(frame)
        if due_ns > now_ns:
            wait_s = (due_ns - now_ns) / 1e9
            if wait_s > timeout_s:
                time.sleep(max(timeout_s, 0))
                return None
            time.sleep(wait_s)
        at = self._motors() if self._motors is not None else {}
        focus, magnet, turns = (float(at.get(m, 0.0)) for m in ("focus", "magnet", "rotation"))
        self.microscope.render(frame, focus, magnet, out, turns)
        self._next = frame + 1
        return FrameStamp(frame, due_ns)

    def properties(self) -> tuple[Property, ...]:
        """Frame rate, exposure, gain, ROI and binning."""
        now = self._options
        sensor = (now.sensor.text,)
        # an exposure lasts at most a frame
        fastest = min(5000.0, 1000 / now.exposure_ms)
        return (
            Property("fps", "1/s", "float", 0.1, fastest, (), now.fps),
            Property("exposure_ms", "ms", "float", 0.001, 1000 / now.fps, (), now.exposure_ms),
            Property("gain", "", "float", 0.1, 16.0, (), now.gain),
            Property("roi", "px", "roi", MIN_ROI_PX, MIN_ROI_PX, sensor, now.window.text),
            Property("binning", "", "choice", 0, 0, ("1", "2", "4"), str(now.binning)),
        )

    def get(self, name: str) -> float | str:
        """Return a property's value."""
        return find_property(self, name).value

    def set(self, name: str, value: float | str) -> None:
        """Change a property from the next frame on."""
        checked = find_property(self, name).check(value)
        if checked == self.get(name):
            return
        if name == "fps" and self._running:
            # frames exposed so far keep their times; the next follows at the old distance
            next_frame = self._exposed(time.monotonic_ns())
            self._origin, self._origin_ns = next_frame, self._due_ns(next_frame)
            self._next = max(self._next, next_frame)
        value = int(checked) if name == "binning" else checked
        self._options = self._options.changed(**{name: value})
        if self._microscope is not None:
            self._microscope = self._microscope.with_options(**{name: value})


def open_simulated(
    name: str, options: dict[str, Any], motors: MotorReadout | None
) -> SimulatedCamera:
    """Return a simulated camera; what the registry calls."""
    return SimulatedCamera(options, motors, name)
