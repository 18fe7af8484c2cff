"""What all GenICam cameras do alike, whichever library brings their frames.

Owns life, stream, numbers and times of the frames; a subclass brings the library with five
verbs. Must not know any library.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.camera import Property, check_target, find_property
from napari_beadscope.devices.genicam.features import CHANGE_FRAMES, Features
from napari_beadscope.devices.genicam.nodes import Nodes
from napari_beadscope.devices.options import checked_options
from napari_beadscope.devices.vendor import DeviceClock, FrameCounter

_ALIVE_EVERY_S = 1.0


class GenicamOptions(BaseModel):
    """Options of a GenICam camera.

    Examples
    --------
    >>> GenicamOptions(buffers=200).buffers
    200
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    buffers: int = Field(
        64, ge=3, le=10_000, description="frames that its library keeps for us before some are lost"
    )
    nodes: dict[str, bool | int | float | str] = Field(
        {}, description="GenICam nodes and what they are set to on opening, such as TriggerMode"
    )


@dataclass(frozen=True, slots=True)
class Grabbed:
    """What a library tells about a frame.

    Attributes
    ----------
    whole : bool
        False for a frame that came damaged and was not copied.
    counted : int or None
        What the device counted for it; None if it doesn't count.
    ticks : int
        Time on the device's clock; 0 if it tells none.
    """

    whole: bool
    counted: int | None
    ticks: int


class GenicamCamera(Opening):
    """A camera over a GenICam node map; a subclass connects it and fetches frames.

    Frame numbers are those of the device's own counter, and go on over stop and start. A frame
    that came damaged is counted as lost. A change of ROI, binning or pixel format interrupts the
    stream.

    Parameters
    ----------
    device : str
        Its serial number or other name, unique for `prefix`.
    prefix : str
        That of its ID.
    options : dict
        See `GenicamOptions`.
    """

    can_wait = False
    #: What the device's counter goes round at, as `FrameCounter` has it; set in `connect`.
    counter_range = (0, 0)
    #: Length of a tick of the device's clock, ns; set in `connect`.
    tick_ns = 1.0

    def __init__(self, device: str, prefix: str, options: dict[str, Any]) -> None:
        self.device = device
        self.label = f"{prefix}:{device}"
        self.lock_name = self.label
        self.options = checked_options(GenicamOptions, options, f"the camera {self.label}")
        self._features: Features | None = None
        self._running = False
        self._format = FrameFormat(0, 0, "uint8")
        self._counter, self._clock = FrameCounter(), DeviceClock()
        self._checked_s = 0.0

    # --- what a library brings --------------------------------------------------------------

    @abstractmethod
    def connect(self) -> Nodes:
        """Open the device and return its nodes; DeviceError if it is not there."""

    @abstractmethod
    def disconnect(self) -> None:
        """Let go of the device and of whatever `connect` got, also after it failed."""

    @abstractmethod
    def begin(self) -> None:
        """Make the device stream frames, its library keeping `options.buffers` of them."""

    @abstractmethod
    def end(self) -> int:
        """Stream no more; return how many frames were there and nobody had fetched."""

    @abstractmethod
    def fetch(self, out: np.ndarray, timeout_s: float) -> Grabbed | None:
        """Hand the next frame to `copy` and back to its library; None if none came in time."""

    @abstractmethod
    def check_alive(self) -> None:
        """Raise `camera_lost` if the device is gone; asked while no frames come."""

    # --- what a camera is -------------------------------------------------------------------

    @property
    def fps(self) -> float:
        """Rate that the camera says it will keep, 1/s; 0 if it says nothing."""
        return self._features.fps if self._features is not None else 0.0

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return self._format

    def open(self) -> None:
        """Connect it, and set it to expose continuously."""
        if self._features is not None:
            return
        try:
            self._features = Features(self.connect(), self.label, self.options.nodes)
            self._format = self._features.format
        except BaseException:
            self._features = None
            self.disconnect()
            raise
        self._counter = FrameCounter(*self.counter_range)
        self._clock = DeviceClock(self.tick_ns)

    def close(self) -> None:
        """Stop and disconnect it."""
        if self._features is None:
            return
        try:
            self.stop()
        finally:
            self._features = None
            self.disconnect()

    def start(self) -> None:
        """Expose frames."""
        self._opened()
        if not self._running:
            self._begin()

    def stop(self) -> None:
        """Expose no more; frames that nobody has read are gone, and their numbers with them."""
        if self._running:
            self._running = False
            self._counter.lose(self.end())

    def _begin(self) -> None:
        self._counter.restart()
        self._clock.restart()
        self.begin()
        self._running = True
        self._checked_s = time.monotonic()

    def _opened(self) -> Features:
        if self._features is None:
            raise DeviceError(f"the camera {self.label} is not open", "open it first")
        return self._features

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Copy the oldest frame not yet read; see `Camera.read_into`."""
        if not self._running:
            raise DeviceError(f"the camera {self.label} is not started", "call start first")
        check_target(out, self._format)
        end_s = time.monotonic() + timeout_s
        while True:
            grabbed = self.fetch(out, max(0.0, end_s - time.monotonic()))
            now_ns = time.monotonic_ns()
            if grabbed is None:
                self._check_alive(now_ns * 1e-9)
                return None
            stamp = self._stamp(grabbed, now_ns)
            if grabbed.whole:
                return stamp

    def _stamp(self, grabbed: Grabbed, now_ns: int) -> FrameStamp:
        self._checked_s = now_ns * 1e-9
        if grabbed.counted is None:
            self._counter.lose()
            frame = self._counter.last
        else:
            frame = self._counter.number(grabbed.counted)
        when_ns = self._clock.monotonic_ns(grabbed.ticks, now_ns) if grabbed.ticks else now_ns
        return FrameStamp(frame, when_ns)

    def copy(self, image: np.ndarray, out: np.ndarray) -> None:
        """Copy a frame, unless it is not what the camera was set to; for `fetch`."""
        if image.shape != out.shape or image.dtype != out.dtype:
            raise DeviceError(
                f"the camera {self.label} sent {image.dtype} {image.shape} instead of"
                f" {out.dtype} {out.shape}",
                "no other program may set it while it is used here",
            )
        out[...] = image

    def _check_alive(self, now_s: float) -> None:
        if now_s - self._checked_s > _ALIVE_EVERY_S:
            self._checked_s = now_s
            self.check_alive()

    # --- properties -------------------------------------------------------------------------

    def properties(self) -> tuple[Property, ...]:
        """Those that it has of exposure, rate, gain, ROI, binning and pixel format."""
        return self._opened().properties()

    def get(self, name: str) -> float | str:
        """Return a property's value."""
        return find_property(self, name).value

    def set(self, name: str, value: float | str) -> None:
        """Set a property to what is nearest of what the camera can."""
        features = self._opened()
        present = find_property(self, name)
        checked = present.check(value)
        if checked == present.value:
            return
        with self._paused() if name in CHANGE_FRAMES or features.locked(name) else _streaming():
            features.set(name, checked)
            self._format = features.format

    @contextmanager
    def _paused(self) -> Iterator[None]:
        was_running = self._running
        self.stop()
        try:
            yield
        finally:
            if was_running:
                self._begin()


@contextmanager
def _streaming() -> Iterator[None]:
    yield
