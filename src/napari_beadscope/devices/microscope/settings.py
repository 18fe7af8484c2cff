"""What a camera of python-microscope can be set to, as `Property` values.

Owns the translation between its settings and our properties. Must not know frames.
"""

from __future__ import annotations

from typing import Any

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.window import Window
from napari_beadscope.devices.camera import Property
from napari_beadscope.devices.microscope.target import failure
from napari_beadscope.devices.vendor import SensorSteps, Steps, vendor_library

_BINNINGS = ("1", "2", "4")
#: python-microscope tells no range of exposures; the camera takes what is nearest.
_EXPOSURE_MS = (0.001, 60_000.0)
_LEAST_PX = 8
_OFF_ON = ("off", "on")


class Settings:
    """Reads and sets a camera that python-microscope has made."""

    def __init__(self, device: Any, label: str) -> None:
        self._device, self._label = device, label
        self._library = vendor_library("microscope")
        self._binned_rois = False  # whether the camera counts its ROI in binned pixels
        self._changed()

    def _changed(self) -> None:
        try:
            self.exposure_s = float(self._device.get_exposure_time())
            cycle_s = self._device.get_cycle_time() or self.exposure_s
        except Exception as error:
            raise failure(self._label, "does not tell its exposure", error) from error
        self.fastest = 1 / cycle_s if cycle_s > 0 else 1000.0

    def trigger_by_software(self) -> None:
        """Let each trigger of ours expose a frame."""
        kinds = self._library.TriggerType.SOFTWARE, self._library.TriggerMode.ONCE
        try:
            self._device.set_trigger(*kinds)
        except Exception as error:
            raise failure(self._label, "cannot be triggered by software", error) from error

    def fit(self, shape: tuple[int, int]) -> None:
        """Note from a frame's shape in which pixels the camera counts its ROI: drivers differ."""
        binning = self._binning
        roi = self._device.get_roi()
        self._binned_rois = binning > 1 and shape == (roi.height, roi.width)

    # what is

    @property
    def _binning(self) -> int:
        return int(self._device.get_binning().v)

    def _sensor(self) -> SensorSteps:
        width, height = self._device.get_sensor_shape()
        return SensorSteps(Window(0, 0, height, width), (_LEAST_PX, _LEAST_PX))

    def _window(self) -> Window:
        left, top, width, height = self._device.get_roi()
        scale = self._binning if self._binned_rois else 1
        window = Window(top * scale, left * scale, height * scale, width * scale, self._binning)
        return self._sensor().nearest(window)

    def properties(self) -> tuple[Property, ...]:
        """Return all properties with their present values."""
        low, high = _EXPOSURE_MS
        exposure_ms = min(max(self.exposure_s * 1e3, low), high)
        found = [
            Property("exposure_ms", "ms", "float", low, high, (), float(f"{exposure_ms:.9g}")),
            self._sensor().property(self._window()),
            Property("binning", "", "choice", 0, 0, _BINNINGS, str(self._binning)),
        ]
        described = self._device.describe_settings()
        for name, about in dict(described).items():
            item = self._property(name, about) if _is_ours(name, about) else None
            if item is not None:
                found.append(item)
        return tuple(found)

    def _property(self, name: str, about: dict[str, Any]) -> Property | None:
        """Return a setting of the camera's own; None if it has no range."""
        value = self._device.get_setting(name)
        match about["type"], about["values"]:
            case "bool", _:
                return Property(name, "", "choice", 0, 0, _OFF_ON, _OFF_ON[bool(value)])
            case "enum", [_, *_] as entries:
                names = {index: str(entry) for index, entry in entries}
                known = tuple(names.values())
                return Property(name, "", "choice", 0, 0, known, names.get(value, known[0]))
            case "int" | "float", [low, high]:
                return Steps(low, high).property(name, "", value)
        return None

    # what shall be

    def set(self, name: str, value: float | str) -> None:
        """Set a property to a value that its `Property` has checked; no frames may stream."""
        try:
            self._set(name, value)
        except DeviceError:
            raise
        except Exception as error:
            raise failure(self._label, f"does not take {value!r} for {name}", error) from error
        self._changed()

    def _set(self, name: str, value: float | str) -> None:
        device = self._device
        match name:
            case "exposure_ms":
                device.set_exposure_time(float(value) * 1e-3)
            case "roi":
                self._set_roi(Window.parse(str(value), self._binning))
            case "binning":
                device.set_binning(self._library.Binning(int(value), int(value)))
                if self._binning != int(value):
                    raise DeviceError(
                        f"the camera {self._label} cannot bin {value} x {value} px",
                        "choose another binning",
                    )
            case _:
                about = dict(device.describe_settings())[name]
                device.set_setting(name, _theirs(about, value))

    def _set_roi(self, window: Window) -> None:
        scale = window.binning if self._binned_rois else 1
        roi = [side // scale for side in (window.x0, window.y0, window.width, window.height)]
        self._device.set_roi(self._library.ROI(*roi))


def _is_ours(name: str, about: dict[str, Any]) -> bool:
    """Whether a setting becomes a property: the ROI is one already, others are hidden."""
    return name != "roi" and not name.startswith("_") and not about["readonly"]


def _theirs(about: dict[str, Any], value: float | str) -> Any:
    match about["type"]:
        case "bool":
            return value == "on"
        case "enum":
            return next(index for index, entry in about["values"] if str(entry) == value)
        case "int":
            return round(float(value))
    return float(value)
