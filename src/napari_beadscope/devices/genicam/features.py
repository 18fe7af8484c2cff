"""A GenICam camera's nodes as the properties that every camera here has.

Owns the names of the Standard Features Naming Convention (SFNC, version 2.7, and those of
version 1.x of which older cameras have the same) and their units. Must not know any library, nor
frames.
"""

from __future__ import annotations

from collections.abc import Mapping

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.core.window import Window
from napari_beadscope.devices.camera import Property
from napari_beadscope.devices.genicam.nodes import Nodes, Value
from napari_beadscope.devices.vendor import SensorSteps, Steps

# Names of nodes, the one that is obeyed first: where a camera has both, the older one acts.
_EXPOSURE = ("ExposureTimeAbs", "ExposureTime")  # us
_RATE = ("AcquisitionFrameRateAbs", "AcquisitionFrameRate")  # Hz
_REAL_RATE = ("ResultingFrameRateAbs", "ResultingFrameRate", "AcquisitionResultingFrameRate")
_GAIN = ("Gain", "GainAbs", "GainRaw")  # dB, raw: no unit
_BINNINGS = ("BinningVertical", "BinningHorizontal")
_FORMATS = ("Mono8", "Mono10", "Mono12", "Mono14", "Mono16")

#: What a camera is set to when it is opened, where it can be: it exposes evenly, on its own.
_AT_OPENING: dict[str, Value] = {
    "AcquisitionMode": "Continuous",
    "TriggerMode": "Off",
    "ExposureMode": "Timed",
    "ExposureAuto": "Off",
    "GainAuto": "Off",
    "AcquisitionFrameRateAuto": "Off",
    "AcquisitionFrameRateEnable": True,
    "AcquisitionFrameRateEnabled": True,
    "BinningVertical": 1,
    "BinningHorizontal": 1,
}
#: Properties that change the frames: they cannot be set while frames stream.
CHANGE_FRAMES = ("roi", "binning", "pixel_format")


class Features:
    """Reads and sets the properties of a connected camera whose frames do not stream yet.

    It exposes continuously and untriggered from then on, with fixed exposure and gain, binning 1,
    and in a monochrome pixel format.

    Parameters
    ----------
    nodes : Nodes
        The camera's.
    label : str
        What users call the camera.
    extra : mapping
        Values of nodes by name, set after all of that; only from there on may they differ.

    Raises
    ------
    DeviceError
        It has no size or no monochrome pixel format, or one of `extra` cannot be set.
    """

    def __init__(self, nodes: Nodes, label: str, extra: Mapping[str, Value] | None = None) -> None:
        self._nodes, self._label = nodes, label
        for name, value in _AT_OPENING.items():
            if nodes.writable(name) and (value is True or nodes.get(name) != value):
                self._try(name, value)
        self._choose_format()
        for name, value in (extra or {}).items():
            self._put_extra(name, value)
        if not (nodes.has("Width") and nodes.has("Height")):
            raise DeviceError(f"the camera {label} tells no size of its frames", "use another one")
        self._has_place = nodes.has("OffsetX") and nodes.has("OffsetY")
        self._sensor = Window(0, 0, self._most("Height"), self._most("Width"))
        self._settable = {
            name
            for name in (*_EXPOSURE, *_RATE, *_GAIN)
            if nodes.has(name) and nodes.writable(name)
        }
        self._binnings = self._possible_binnings()

    # --- what is ----------------------------------------------------------------------------

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        nodes = self._nodes
        dtype = "uint8" if nodes.get("PixelFormat") == "Mono8" else "uint16"
        return FrameFormat(int(nodes.get("Height")), int(nodes.get("Width")), dtype)

    @property
    def window(self) -> Window:
        """What part of the sensor the frames show."""
        binning, nodes = self._binning, self._nodes
        place = ("OffsetY", "OffsetX") if self._has_place else ()
        y0, x0 = (int(nodes.get(name)) * binning for name in place) if place else (0, 0)
        height, width = (int(nodes.get(name)) * binning for name in ("Height", "Width"))
        sensor = self._sensor
        return Window(y0, x0, min(height, sensor.height), min(width, sensor.width), binning)

    @property
    def fps(self) -> float:
        """Rate that the camera says it will keep, 1/s; 0 if it says nothing."""
        for name in (*_REAL_RATE, *_RATE):
            if self._nodes.has(name):
                return float(self._nodes.get(name))
        return 0.0

    def properties(self) -> tuple[Property, ...]:
        """Return those that the camera has of exposure, rate, gain, ROI, binning, pixel format."""
        nodes, found = self._nodes, []
        for prop, unit, names, scale in (
            ("exposure_ms", "ms", _EXPOSURE, 1e-3),
            ("fps", "1/s", _RATE, 1.0),
            ("gain", "dB", _GAIN, 1.0),
        ):
            name = self._node_of(names)
            if name:
                unit = "" if name == "GainRaw" else unit
                value = float(nodes.get(name))
                found.append(nodes.steps(name).property(prop, unit, value, scale))
        found.append(self._roi_steps().property(self.window))
        if len(self._binnings) > 1:
            found.append(
                Property("binning", "", "choice", 0, 0, self._binnings, str(self._binning))
            )
        formats = self._formats()
        if len(formats) > 1:
            present = str(nodes.get("PixelFormat"))
            found.append(Property("pixel_format", "", "choice", 0, 0, formats, present))
        return tuple(found)

    # --- what shall be ----------------------------------------------------------------------

    def set(self, name: str, value: float | str) -> None:
        """Set a property to what is nearest to a value that its `Property` has checked."""
        match name:
            case "exposure_ms":
                self._put_number(_EXPOSURE, float(value) * 1e3)
            case "fps":
                self._put_number(_RATE, float(value))
            case "gain":
                self._put_number(_GAIN, float(value))
            case "roi":
                self._read_out(Window.parse(str(value), self._binning))
            case "binning":
                window = self.window
                self._to_corner()
                for node in _BINNINGS:
                    self._nodes.put(node, int(value))
                self._read_out(window)
            case _:
                self._nodes.put("PixelFormat", str(value))

    def locked(self, name: str) -> bool:
        """Whether a property cannot be set while frames stream."""
        names = {"exposure_ms": _EXPOSURE, "fps": _RATE, "gain": _GAIN}.get(name)
        return names is None or not self._nodes.writable(self._node_of(names))

    def _node_of(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if name in self._settable), "")

    def _put_number(self, names: tuple[str, ...], value: float) -> None:
        name = self._node_of(names)
        self._nodes.put(name, float(f"{self._nodes.steps(name).nearest(value):.12g}"))

    def _try(self, name: str, value: Value) -> None:
        """Set what a camera should have but may refuse."""
        nodes = self._nodes
        if isinstance(value, str) and value not in nodes.choices(name):
            return
        nodes.put(name, value)

    def _put_extra(self, name: str, value: Value) -> None:
        if not self._nodes.writable(name):
            raise DeviceError(
                f"the camera {self._label} has no node {name!r} that can be set",
                "correct its option 'nodes'",
            )
        self._nodes.put(name, value)

    # --- pixels -----------------------------------------------------------------------------

    def _formats(self) -> tuple[str, ...]:
        if not self._nodes.has("PixelFormat"):
            return ()
        offered = self._nodes.choices("PixelFormat")
        return tuple(name for name in _FORMATS if name in offered)

    def _choose_format(self) -> None:
        formats = self._formats()
        if not formats:
            raise DeviceError(
                f"the camera {self._label} has no monochrome pixel format",
                f"use one that has {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}",
            )
        if self._nodes.get("PixelFormat") not in formats:
            self._nodes.put("PixelFormat", formats[0])

    def _most(self, node: str) -> int:
        """Return the sensor's height or width in px; binning is 1."""
        nodes = self._nodes
        if nodes.has(f"{node}Max"):
            return int(nodes.get(f"{node}Max"))
        offset = "OffsetY" if node == "Height" else "OffsetX"
        place = int(nodes.get(offset)) if self._has_place else 0
        return int(nodes.steps(node).maximum) + place

    @property
    def _binning(self) -> int:
        name = _BINNINGS[0]
        return int(self._nodes.get(name)) if self._nodes.has(name) else 1

    def _possible_binnings(self) -> tuple[str, ...]:
        if not all(self._nodes.writable(name) for name in _BINNINGS):
            return ()
        ranges = [self._nodes.steps(name) for name in _BINNINGS]
        common = range(1, int(min(steps.maximum for steps in ranges)) + 1)
        return tuple(
            str(number) for number in common if all(s.nearest(number) == number for s in ranges)
        )

    def _roi_steps(self) -> SensorSteps:
        binning, nodes = self._binning, self._nodes
        sizes = [nodes.steps(name) for name in ("Height", "Width")]
        whole = (self._sensor.height, self._sensor.width)
        places = [nodes.steps(name) for name in ("OffsetY", "OffsetX")] if self._has_place else []
        return SensorSteps(
            self._sensor,
            least=_pair(sizes, "minimum", binning),
            size=_pair(sizes, "step", binning),
            # in steps as long as the sensor there is no place but its corner
            place=_pair(places, "step", binning) if places else whole,
        )

    def _to_corner(self) -> None:
        for name in ("OffsetY", "OffsetX") if self._has_place else ():
            if self._nodes.writable(name):
                self._nodes.put(name, 0)

    def _read_out(self, window: Window) -> None:
        binning = self._binning
        found = self._roi_steps().nearest(window)
        self._to_corner()
        self._nodes.put("Height", found.height // binning)
        self._nodes.put("Width", found.width // binning)
        if self._has_place and (found.y0 or found.x0):
            self._nodes.put("OffsetY", found.y0 // binning)
            self._nodes.put("OffsetX", found.x0 // binning)


def _pair(steps: list[Steps], what: str, binning: int) -> tuple[int, int]:
    first, second = (max(1, round(getattr(one, what))) * binning for one in steps)
    return first, second
