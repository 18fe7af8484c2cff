"""What every camera, motor and sensor offers: Protocols, their properties, the end of a stream.

Owns the vocabulary between devices and whoever drives them. Must not know any device, any
ring or any process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.core.window import Window

#: Latest positions by motor name: 'focus' in um, 'magnet' in mm, 'rotation' in turns. Missing: 0.
MotorReadout = Callable[[], Mapping[str, float]]


class EndOfStream(BeadscopeError):
    """A finite source has no more frames; not a failure.

    Examples
    --------
    >>> str(EndOfStream("movie.tif has no frame after 400"))
    'movie.tif has no frame after 400'
    """


@dataclass(frozen=True, slots=True)
class Property:
    """A setting of a device, its range and its present value.

    Attributes
    ----------
    name, unit : str
        Name, such as ``exposure_ms``, and unit, such as ``ms``; '' for none.
    kind : str
        ``float``, ``choice`` or ``roi``: a box ``y0,x0,height,width`` in px of the sensor.
    minimum, maximum : float
        Range of a ``float``; smallest height and width of an ``roi``; both 0 for a ``choice``.
    choices : tuple of str
        What a ``choice`` may be; for an ``roi`` the whole sensor, which is also called ``full``.
    value : float or str
        Present value.
    """

    name: str
    unit: str
    kind: str
    minimum: float
    maximum: float
    choices: tuple[str, ...]
    value: float | str

    def check(self, value: float | str) -> float | str:
        """Return `value` in the property's own type.

        Raises
        ------
        DeviceError
            If it is outside the range or not one of the choices; the message names them.

        Examples
        --------
        >>> Property("fps", "1/s", "float", 1.0, 100.0, (), 30.0).check(50)
        50.0
        >>> Property("roi", "px", "roi", 32, 32, ("0,0,512,512",), "0,0,512,512").check("full")
        '0,0,512,512'
        """
        if self.kind == "roi":
            return self._checked_roi(str(value))
        if self.kind == "choice":
            text = f"{value:g}" if isinstance(value, int | float) else str(value)
            if text not in self.choices:
                raise DeviceError(
                    f"{self.name} cannot be {value!r}", f"choose one of {', '.join(self.choices)}"
                )
            return text
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not self.minimum <= number <= self.maximum:
            unit = f" {self.unit}" if self.unit else ""
            raise DeviceError(
                f"{self.name} cannot be {value!r}",
                f"choose a number from {self.minimum:g} to {self.maximum:g}{unit}",
            )
        return number

    def _checked_roi(self, text: str) -> str:
        if text == "full":
            return self.choices[0]
        sensor = Window.parse(self.choices[0])
        try:
            window = Window.parse(text)
        except InputError as error:
            raise DeviceError(f"{self.name} cannot be {text!r}", error.remedy) from error
        if not window.inside(sensor):
            raise DeviceError(
                f"{self.name} cannot be {text!r}: it is not inside the sensor of"
                f" {sensor.width} x {sensor.height} px",
                "give y0,x0,height,width within it",
            )
        if window.height < self.minimum or window.width < self.maximum:
            raise DeviceError(
                f"{self.name} cannot be {text!r}: it is too small for this camera",
                f"make it at least {self.minimum:g} px high and {self.maximum:g} px wide",
            )
        return window.text


@runtime_checkable
class Camera(Protocol):
    """A source of frames; a context manager that opens and closes it.

    All calls come from one thread at a time. Two properties have a meaning for all: ``roi`` (of
    kind ``roi``) and ``binning`` (a ``choice`` of numbers) say which window of the sensor the
    frames show, in px of the sensor without binning, so that beads can follow when one of them
    is set. `format` is then that of the frames from there on. A camera that can set its ROI or
    binning in steps only takes the nearest and says so in `properties`.

    Attributes
    ----------
    can_wait : bool
        True if the source may be held back without losing frames (replay).
    lock_name : str
        Name under which one engine at a time may own it; '' if any number may.
    fps : float
        Nominal rate in frames/s; 0 if frames come as fast as they are read.
    """

    can_wait: bool
    lock_name: str

    @property
    def fps(self) -> float:
        """Nominal rate, frames/s; 0 if frames come as fast as they are read."""

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames, valid after `open`."""

    def open(self) -> None:
        """Make the device ready; does nothing if it is."""

    def close(self) -> None:
        """Stop and release the device; does nothing if closed."""

    def start(self) -> None:
        """Begin to expose frames; does nothing if it has."""

    def stop(self) -> None:
        """Expose no more frames; does nothing if stopped."""

    def read_into(self, out: np.ndarray, timeout_s: float) -> FrameStamp | None:
        """Copy the next frame into `out` ``(y, x)``, of the format's shape and dtype.

        Returns
        -------
        FrameStamp or None
            None if no frame came within `timeout_s` seconds.

        Raises
        ------
        EndOfStream
            A finite source has no more.
        DeviceError
            The device failed, is not started, or `out` does not fit.
        """

    def get(self, name: str) -> float | str:
        """Return a property's value; DeviceError for an unknown name."""

    def set(self, name: str, value: float | str) -> None:
        """Change a property from the next frame read; DeviceError naming the range if invalid."""

    def properties(self) -> tuple[Property, ...]:
        """All properties with their present values."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class Resumable(Protocol):
    """What a camera that can wait has besides: it can go on where another one was."""

    def resume_after(self, stamp: FrameStamp) -> None:
        """Continue with the frame after `stamp`."""


@runtime_checkable
class Motor(Protocol):
    """One axis that moves; a context manager that opens and closes it.

    All calls come from one thread, and none but `open` and `close` may take long. It is easiest
    written as a `MotorBase`.

    Attributes
    ----------
    name : str
        What it is called in messages, such as ``focus`` or ``magnet``.
    unit : str
        ``um`` or ``mm`` for what moves along a line, so that it can focus; else any, as ``turn``.
    limits : tuple of float
        Lowest and highest target, valid after `open`.
    """

    name: str
    unit: str
    limits: tuple[float, float]

    def open(self) -> None:
        """Make the motor ready; does nothing if it is."""

    def close(self) -> None:
        """Stop and release the motor; does nothing if closed."""

    def move_to(self, target: float) -> None:
        """Start to move and return at once; DeviceError outside the limits."""

    def position(self) -> float:
        """Present position in the motor's unit."""

    def moving(self) -> bool:
        """Whether it is still on its way, or has not settled yet."""

    def stop(self) -> None:
        """Halt where it is."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class Sensor(Protocol):
    """What is read and does not move, such as a thermometer; otherwise like a `Motor`.

    Attributes
    ----------
    name, unit : str
        What it is called in messages, and the unit of what it reads.
    """

    name: str
    unit: str

    def open(self) -> None:
        """Make the sensor ready; does nothing if it is."""

    def close(self) -> None:
        """Release the sensor; does nothing if closed."""

    def read(self) -> float:
        """Return the present value; may not take long."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class ResumableMotor(Protocol):
    """What a motor that keeps its place in memory only has besides: a successor takes it over."""

    def resume_at(self, position: float) -> None:
        """Rest at `position`, which a motor of the same kind had when its process died."""


def find_property(camera: Camera, name: str) -> Property:
    """Return the camera's property of that name, or raise DeviceError listing the names."""
    known = {item.name: item for item in camera.properties()}
    if name not in known:
        raise DeviceError(f"the camera has no property {name!r}", f"choose from {', '.join(known)}")
    return known[name]


def window_of(camera: Camera) -> Window:
    """Return the window that a camera's ``roi`` and ``binning`` tell, else all of the frame."""
    known = {item.name: item.value for item in camera.properties()}
    binning = int(float(known.get("binning", 1)))
    if "roi" not in known:
        form = camera.format
        return Window(0, 0, form.height_px * binning, form.width_px * binning, binning)
    return Window.parse(str(known["roi"]), binning)


def check_target(out: np.ndarray, format: FrameFormat) -> None:
    """Raise DeviceError unless a frame of `format` fits into `out` as it is."""
    if out.shape != format.shape or out.dtype != np.dtype(format.dtype):
        raise DeviceError(
            f"the buffer is {out.dtype} {out.shape}, the frames are {format.dtype} {format.shape}",
            "allocate it with the camera's format",
        )
    if not out.flags.writeable:
        raise DeviceError("the buffer for the frame is read-only", "pass a writeable array")
