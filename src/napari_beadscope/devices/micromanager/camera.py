"""A camera of Micro-Manager that streams; its process has the core, and serves the stages.

Owns how frames are taken from the core's buffer, numbered and timed. Must not know rings.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Opening
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.devices.camera import MotorReadout, Property, check_target
from napari_beadscope.devices.micromanager.address import Address
from napari_beadscope.devices.micromanager.core import labels_of, told
from napari_beadscope.devices.micromanager.host import Host, host_for_camera
from napari_beadscope.devices.micromanager.settings import Setting, Settings
from napari_beadscope.devices.options import checked_options
from napari_beadscope.devices.vendor import DeviceClock, FrameCounter, camera_lost

if TYPE_CHECKING:
    from pymmcore import CMMCore

_POLL_S = 0.0005
_MS = 1_000_000
_DTYPES = {1: "uint8", 2: "uint16"}


class CameraOptions(BaseModel):
    """What a camera of Micro-Manager is set to when it is opened.

    Examples
    --------
    >>> CameraOptions(properties={"Camera.Mode": "Fluorescent Beads", "XY.Velocity": 5}).properties
    {'Camera.Mode': 'Fluorescent Beads', 'XY.Velocity': '5'}
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    properties: dict[str, str] = Field(
        default={}, description="DEVICE.PROPERTY of the configuration and the value to set"
    )
    buffer_mb: int = Field(256, ge=1, le=65_536, description="frames that can wait, MiB")


class MicroManagerCamera(Opening):
    """A camera of a configuration.

    Frames are numbered by the core's own counter, which counts the frames that come from the
    camera whether they are taken in time or overwritten in its buffer: what was overwritten
    shows as a jump. What a camera loses before, its driver has to tell.

    Parameters
    ----------
    address : Address
        Configuration and camera; without a device the one that the configuration chooses.
    options : CameraOptions
        What to set when it is opened.
    """

    can_wait = False

    def __init__(self, address: Address, options: CameraOptions) -> None:
        self._configuration = address.configuration()
        self.lock_name = f"micromanager:{self._configuration.path}"
        self._label = address.device
        self._options = options
        self._host: Host | None = None
        self._running = False
        self._frames = FrameCounter()
        self._clock = DeviceClock()

    # --- life ---------------------------------------------------------------------------

    def open(self) -> None:
        """Load the configuration and choose the camera; frame numbers start at 0."""
        if self._host is not None:
            return
        host = host_for_camera(self._configuration)
        try:
            self._label = _camera_of(host.core, self._label)
            host.core.setCircularBufferMemoryFootprint(self._options.buffer_mb)
            settings = Settings(host.core, self._label)
            settings.apply(self._options.properties)
            self._format = _format_of(host.core, self._label)
        except BaseException:
            host.close()
            raise
        self._host, self._settings = host, settings
        self._frames = FrameCounter()

    def close(self) -> None:
        """Stop, and release every device of the configuration."""
        try:
            self.stop()
        finally:
            host, self._host = self._host, None
            if host is not None:
                host.close()

    def start(self) -> None:
        """Let the camera run freely, at the rate of its exposure."""
        core = self._core
        if self._running:
            return
        with told(f"the camera {self._label} cannot be started"):
            core.startContinuousSequenceAcquisition(0)
        self._frames.restart()
        self._clock.restart()
        self._first = True
        self._running = True

    def stop(self) -> None:
        """Expose no more frames; those that were not read are lost."""
        if not self._running:
            return
        self._running = False
        core = self._core
        try:
            with told(f"the camera {self._label} cannot be stopped"):
                core.stopSequenceAcquisition()
        finally:
            self._frames.lose(core.getRemainingImageCount())
            core.clearCircularBuffer()

    @property
    def _core(self) -> CMMCore:
        if self._host is None:
            raise DeviceError(
                f"the camera of {self._configuration.path.name} is not open", "open it first"
            )
        return self._host.core

    # --- frames -------------------------------------------------------------------------

    @property
    def fps(self) -> float:
        """Frame rate if the camera takes no longer than its exposure and what it tells, 1/s."""
        core, label = self._core, self._label
        interval_ms = core.getExposure(label)
        for name in ("ActualInterval-ms", "ReadoutTime"):
            if core.hasProperty(label, name):
                interval_ms = max(interval_ms, _number(core.getProperty(label, name)))
        return 1000 / interval_ms if interval_ms > 0 else 0.0

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        self._core  # noqa: B018  raises if not open
        return self._format

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Take the oldest unread frame; see `Camera.read_into`."""
        core = self._core
        if not self._running:
            raise DeviceError(f"the camera {self._label} is not started", "call start first")
        check_target(out, self._format)
        deadline = time.monotonic() + timeout_s
        while not core.getRemainingImageCount():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                if not core.isSequenceRunning(self._label):
                    raise camera_lost(self._label, "it has stopped by itself")
                return None
            time.sleep(min(left_s, _POLL_S))
        return self._take(core, out)

    def _take(self, core: CMMCore, out: np.ndarray) -> FrameStamp:
        from pymmcore import Metadata

        tags = Metadata()
        with told(f"the frames of the camera {self._label} cannot be read"):
            image = core.popNextImageMD(tags)
            counted = int(tags.GetSingleTag("ImageNumber").GetValue())
            elapsed_ms = float(tags.GetSingleTag("ElapsedTime-ms").GetValue())
        if image.shape != out.shape or image.dtype != out.dtype:
            raise camera_lost(self._label, f"its frames became {image.dtype} {image.shape}")
        out[...] = image
        if self._first:  # the core counts from 0 at every start
            self._frames.lose(counted)
            self._first = False
        time_ns = self._clock.monotonic_ns(round(elapsed_ms * _MS), time.monotonic_ns())
        return FrameStamp(self._frames.number(counted), time_ns)

    # --- properties ---------------------------------------------------------------------

    def properties(self) -> tuple[Property, ...]:
        """What can be set: the camera, presets, shutters, switches; see `Settings`."""
        self._core  # noqa: B018  raises if not open
        with told("the properties of Micro-Manager cannot be read"):
            return self._settings.read()

    def get(self, name: str) -> float | str:
        """Return a property's value."""
        self._core  # noqa: B018  raises if not open
        with told(f"{name} cannot be read"):
            return self._settings.named(name).read().value

    def set(self, name: str, value: float | str) -> None:
        """Change a property; the camera is stopped meanwhile if it cannot be changed otherwise."""
        setting = self._settings.named(name)
        before = self.get(name)
        checked = setting.read().check(value)
        if checked == before:
            return
        running = self._running
        if not (running and self._written_while_running(setting, checked)):
            self.stop()
        try:
            if not self._running:
                with told(f"{name} cannot be {value!r}", "choose another value"):
                    setting.write(checked)
            self._note_format()
        except DeviceError:
            self.stop()
            with contextlib.suppress(DeviceError), told(name):
                setting.write(before)
            self._note_format()
            raise
        finally:
            if running:
                self.start()

    def _written_while_running(self, setting: Setting, value: float | str) -> bool:
        """Write and return True, unless that needs a camera that is stopped; many refuse then."""
        if setting.resets:
            return False
        try:
            with told("while it runs"):
                setting.write(value)
        except DeviceError:
            return False
        return True

    def _note_format(self) -> None:
        """Take note of frames that have changed; those of before that are unread are lost."""
        form = _format_of(self._core, self._label)
        if form != self._format:
            self.stop()
        self._format = form
        self._settings.refresh()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _camera_of(core: CMMCore, label: str) -> str:
    """Make `label`, or the camera that the configuration chooses, the camera of the core."""
    cameras = labels_of(core, "Camera")
    label = label or core.getCameraDevice()
    if label not in cameras:
        which = f"no camera {label!r}" if label else "no camera"
        raise InputError(
            f"the configuration of Micro-Manager has {which}",
            f"choose from {', '.join(cameras)}" if cameras else "add one to it",
        )
    core.setCameraDevice(label)
    return label


def _format_of(core: CMMCore, label: str) -> FrameFormat:
    deep, parts = core.getBytesPerPixel(), core.getNumberOfComponents()
    if deep not in _DTYPES or parts != 1:
        raise DeviceError(
            f"the frames of the camera {label} have {parts} channels in {deep} bytes",
            "choose a pixel type of one channel of 8 or 16 bits",
        )
    return FrameFormat(core.getImageHeight(), core.getImageWidth(), _DTYPES[deep])


def open_micromanager(
    argument: str, options: dict[str, Any], motors: MotorReadout | None
) -> MicroManagerCamera:
    """Return a camera of Micro-Manager; what the registry calls."""
    checked = checked_options(CameraOptions, options, f"the camera micromanager:{argument}")
    return MicroManagerCamera(Address.parse(argument), checked)
