"""A camera of python-microscope, each frame of which is triggered from here.

Owns triggers, numbers and times of frames. python-microscope tells no frame numbers; since every
frame is asked for, one that does not come is known to be lost. Must not know rings or engines.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.camera import (
    MotorReadout,
    Property,
    check_target,
    find_property,
)
from napari_beadscope.devices.microscope.settings import Settings
from napari_beadscope.devices.microscope.target import Target, failure
from napari_beadscope.devices.options import checked_options
from napari_beadscope.devices.vendor import camera_lost

_LOG = logging.getLogger(__name__)
_DTYPES = ("uint8", "uint16")
#: Frames that fail one after another before the camera counts as lost.
_MOST_FAILURES = 5


class CameraOptions(BaseModel):
    """Options of a camera of python-microscope.

    Examples
    --------
    >>> CameraOptions(arguments={"index": 0}).patience_s
    2.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    arguments: dict[str, Any] = Field({}, description="arguments of the camera's class")
    fps: float = Field(30.0, ge=0.1, le=1000, description="rate of triggers at first, 1/s")
    patience_s: float = Field(
        2.0, gt=0, le=60, description="a frame is lost so long after its exposure should end, s"
    )


class MicroscopeCamera(Opening):
    """A camera that is triggered by software for every frame.

    It exposes as many frames as are read, at most `fps`.

    Parameters
    ----------
    target : Target
        Its class.
    options : CameraOptions
        Arguments of the class and rate of triggers.
    """

    can_wait = False

    def __init__(self, target: Target, options: CameraOptions) -> None:
        self.label = f"microscope:{target.cls}"
        self.lock_name = self.label
        self._target, self._options = target, options
        self._rate = options.fps
        self._device: Any = None
        self._settings: Settings
        self._format = FrameFormat(0, 0, "uint8")
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running = False
        self._frame = -1  # number of the last trigger
        self._asked_ns = 0  # when that was, 0 if its frame has come or is given up
        self._due_ns = 0
        self._failures = 0

    @property
    def fps(self) -> float:
        """Rate of triggers, or what exposure and readout leave of it, 1/s."""
        return min(self._rate, self._settings.fastest) if self._device is not None else self._rate

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    # life

    def open(self) -> None:
        """Make the camera and take a frame, which tells size and type."""
        if self._device is not None:
            return
        self._device, _ = self._target.make("Camera", self._options.arguments)
        try:
            self._settings = Settings(self._device, self._target.cls)
            self._settings.trigger_by_software()
            self._learn_format()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop and switch off."""
        device, self._device = self._device, None
        if device is not None:
            self._running = False
            with contextlib.suppress(Exception):  # it may be gone
                device.shutdown()

    def start(self) -> None:
        """Get ready for triggers."""
        self._opened()
        if not self._running:
            self._failures = 0
            self._enable()
            self._running = True

    def stop(self) -> None:
        """Trigger no more; a frame that is on its way is forgotten."""
        if self._running:
            self._running = False
            self._frame -= self._asked_ns > 0
            self._disable()

    def _enable(self) -> None:
        self._asked_ns = self._due_ns = 0
        self._arrived = queue.SimpleQueue()
        try:
            self._device.set_client(_Inbox(self._arrived))
            self._device.enable()
        except Exception as error:
            raise failure(self.label, "cannot be started", error) from error

    def _disable(self) -> None:
        try:
            self._device.disable()
            self._device.set_client(None)
        except Exception as error:
            raise failure(self.label, "cannot be stopped", error) from error

    def _opened(self) -> Settings:
        if self._device is None:
            raise DeviceError(f"the camera {self.label} is not open", "open it first")
        return self._settings

    def _learn_format(self) -> None:
        """Take a frame and note its size and type; the stream may not be on."""
        number = self._frame
        self._enable()
        try:
            taken = self._next_frame(self._settings.exposure_s + self._options.patience_s)
        finally:
            self._disable()
            self._frame = number
        if taken is None:
            raise camera_lost(self.label, "it sends no frames")
        image = taken[0]
        if image.ndim != 2 or image.dtype.name not in _DTYPES:
            shape = " × ".join(str(side) for side in image.shape)
            raise DeviceError(
                f"the camera {self.label} sends {shape} {image.dtype}",
                f"set it to monochrome frames of {' or '.join(_DTYPES)}",
            )
        height, width = image.shape
        self._format = FrameFormat(height, width, image.dtype.name)
        self._settings.fit((height, width))

    # frames

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Trigger a frame when it is time and copy it; see `Camera.read_into`."""
        if not self._running:
            raise DeviceError(f"the camera {self.label} is not started", "call start first")
        check_target(out, self._format)
        taken = self._next_frame(timeout_s)
        if taken is None:
            return None
        image, taken_ns = taken
        if image.shape != out.shape or image.dtype != out.dtype:
            raise DeviceError(
                f"the camera {self.label} sent {image.dtype} {image.shape} instead of"
                f" {out.dtype} {out.shape}",
                "no other program may set it while it is used here",
            )
        out[...] = image
        return FrameStamp(self._frame, taken_ns)

    def _next_frame(self, timeout_s: float) -> tuple[np.ndarray, int] | None:
        end_s = time.monotonic() + timeout_s
        while True:
            now_ns = time.monotonic_ns()
            left_s = max(0.0, end_s - now_ns * 1e-9)
            if not self._asked_ns:
                wait_s = (self._due_ns - now_ns) * 1e-9
                if wait_s > left_s:
                    time.sleep(left_s)
                    return None
                time.sleep(max(0.0, wait_s))
                self._trigger()
            try:
                said = self._arrived.get(timeout=left_s)
            except queue.Empty:
                self._give_up_late()
                return None
            if isinstance(said, Exception):
                self._count_failure(str(said))
            else:
                taken_ns, self._asked_ns, self._failures = self._asked_ns, 0, 0
                return np.asarray(said), taken_ns

    def _trigger(self) -> None:
        self._frame += 1
        self._asked_ns = time.monotonic_ns()
        self._due_ns = max(self._due_ns, self._asked_ns - 10**9) + round(1e9 / self._rate)
        try:
            self._device.trigger()
        except Exception as error:
            raise camera_lost(self.label, str(error)) from error

    def _give_up_late(self) -> None:
        """Count a frame that should have come long ago as lost."""
        late_ns = (self._settings.exposure_s + self._options.patience_s) * 1e9
        if self._asked_ns and time.monotonic_ns() - self._asked_ns > late_ns:
            self._disable()  # so that it cannot come in the next one's place
            self._enable()
            self._count_failure("a frame did not come")

    def _count_failure(self, words: str) -> None:
        self._failures += 1
        _LOG.warning("%s: %s", self.label, words)
        if self._failures >= _MOST_FAILURES:
            raise camera_lost(self.label, words)

    # properties

    def properties(self) -> tuple[Property, ...]:
        """Rate of triggers, exposure, ROI, binning, and what else the camera tells."""
        rate = Property("fps", "1/s", "float", 0.1, 1000.0, (), self._rate)
        return (rate, *self._opened().properties())

    def get(self, name: str) -> float | str:
        """Return a property's value."""
        return find_property(self, name).value

    def set(self, name: str, value: float | str) -> None:
        """Change a property; the stream pauses for all but the rate."""
        present = find_property(self, name)
        checked = present.check(value)
        if checked == present.value:
            return
        if name == "fps":
            self._rate, self._due_ns = float(checked), 0
            return
        was_running = self._running
        self.stop()
        try:
            self._settings.set(name, checked)
            if name != "exposure_ms":
                self._learn_format()
        except DeviceError:
            self._settings.set(name, present.value)  # what it had did work
            raise
        finally:
            if was_running:
                self.start()


class _Inbox:
    """What python-microscope hands frames and errors to, from a thread of its own."""

    def __init__(self, arrived: queue.SimpleQueue[Any]) -> None:
        self._arrived = arrived

    def put(self, said: Any) -> None:
        """Take a frame, or an exception in its place."""
        self._arrived.put(said)


def open_microscope(
    argument: str, options: dict[str, Any], motors: MotorReadout | None
) -> MicroscopeCamera:
    """Return a camera of python-microscope; what the registry calls."""
    target = Target.parse(argument)
    checked = checked_options(CameraOptions, options, f"the camera microscope:{argument}")
    return MicroscopeCamera(target, checked)
