"""What can be set on a microscope of Micro-Manager besides its stages, as properties of its camera.

Owns how each is read and written. Must not know frames, nor how a camera is paused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.window import Window
from napari_beadscope.devices.camera import Property
from napari_beadscope.devices.micromanager.core import labels_of, told
from napari_beadscope.devices.vendor import SensorSteps, Steps

if TYPE_CHECKING:
    from pymmcore import CMMCore

_OPEN, _CLOSED = "open", "closed"
_ON, _OFF = "on", "off"
_INTEGER = 3  # of a property's type in the core
_LONGEST_EXPOSURE_MS = 60_000.0
#: They are properties of every camera under names of our own.
_OWN_NAMES = ("Binning", "Exposure")


@dataclass(frozen=True, slots=True)
class Setting:
    """A property as it is now, and how to change it; `resets`: the camera must stop for that."""

    read: Callable[[], Property]
    write: Callable[[float | str], None]
    resets: bool = False


class Settings:
    """All settings of a configuration by name.

    First what every camera has: ``exposure_ms``, ``roi`` and ``binning``; then the presets
    (``preset Channel``), the shutters and the wheels, turrets and switches by their labels, and
    what the camera has of its own, under the names of Micro-Manager. What cannot be changed
    while the microscope runs, or has neither a range nor a list of values, is left out.
    """

    def __init__(self, core: CMMCore, camera: str) -> None:
        self._core, self._camera = core, camera
        self._window = Window(0, 0, *self._size_of_all(), self._binning())
        found: dict[str, Setting] = {}
        for name, setting in self._all():
            found.setdefault(name, setting)
        self._settings = found

    def named(self, name: str) -> Setting:
        """Return a setting; DeviceError listing the names if there is none."""
        if name not in self._settings:
            raise DeviceError(
                f"the camera {self._camera} has no property {name!r}",
                f"choose from {', '.join(self._settings)}",
            )
        return self._settings[name]

    def read(self) -> tuple[Property, ...]:
        """Return all properties with their present values."""
        return tuple(setting.read() for setting in self._settings.values())

    def apply(self, wanted: dict[str, str]) -> None:
        """Set what options give as ``DEVICE.PROPERTY``; InputError for what there is not."""
        devices = sorted(self._core.getLoadedDevices(), key=len, reverse=True)
        for key, value in wanted.items():
            device = next((label for label in devices if key.startswith(f"{label}.")), "")
            name = key[len(device) + 1 :]
            if not device or not self._core.hasProperty(device, name):
                raise InputError(
                    f"the configuration has no property {key!r}",
                    "write it as DEVICE.PROPERTY with names of the configuration",
                )
            with told(f"{key} cannot be {value!r}", "choose another value"):
                self._core.setProperty(device, name, value)
                self._core.waitForDevice(device)
        self._window = Window(0, 0, *self._size_of_all(), self._binning())

    def refresh(self) -> None:
        """Take note of a window that another setting has changed."""
        binning = self._binning()
        x0, y0, width, height = (binning * number for number in self._core.getROI())
        self._window = Window(y0, x0, height, width, binning)

    def _all(self) -> Iterator[tuple[str, Setting]]:
        yield "exposure_ms", Setting(self._read_exposure, self._write_exposure)
        yield "roi", Setting(self._read_roi, self._write_roi, resets=True)
        if self._binnings():
            yield "binning", Setting(self._read_binning, self._write_binning, resets=True)
        for group in self._core.getAvailableConfigGroups():
            if group != "System":
                yield f"preset {group}", self._preset(f"preset {group}", group)
        yield "auto shutter", self._auto_shutter()
        for label in labels_of(self._core, "Shutter"):
            yield label, self._shutter(label)
        for label in labels_of(self._core, "State"):
            if self._core.getStateLabels(label):
                yield label, self._switch(label)
        for name in self._core.getDevicePropertyNames(self._camera):
            setting = self._own(name)
            if setting is not None:
                yield name, setting

    # --- exposure, window ---------------------------------------------------------------

    def _read_exposure(self) -> Property:
        low, high = 0.001, _LONGEST_EXPOSURE_MS
        if self._limited("Exposure"):
            low, high = self._limits("Exposure")
        value = float(self._core.getExposure(self._camera))
        return Steps(low, high).property("exposure_ms", "ms", value)

    def _write_exposure(self, value: float | str) -> None:
        self._core.setExposure(self._camera, float(value))

    def _binnings(self) -> tuple[str, ...]:
        """Return what the binning can be, of what is one number: 2, or 2x2."""
        core, camera = self._core, self._camera
        if not core.hasProperty(camera, "Binning") or core.isPropertyReadOnly(camera, "Binning"):
            return ()
        allowed = core.getAllowedPropertyValues(camera, "Binning")
        numbers = {text: text.partition("x")[0] for text in allowed if text}
        square = [
            number for text, number in numbers.items() if text in (number, f"{number}x{number}")
        ]
        return tuple(sorted((number for number in square if number.isdigit()), key=int))

    def _binning(self) -> int:
        if not self._core.hasProperty(self._camera, "Binning"):
            return 1
        text = self._core.getProperty(self._camera, "Binning").partition("x")[0]
        return int(text) if text.isdigit() else 1

    def _read_binning(self) -> Property:
        choices = self._binnings()
        value = str(self._binning())
        return Property("binning", "", "choice", 0, 0, choices, value)

    def _write_binning(self, value: float | str) -> None:
        """Bin, and show the window that was shown before."""
        old, new = self._window, int(float(value))
        self._core.clearROI()
        allowed = self._core.getAllowedPropertyValues(self._camera, "Binning")
        text = str(new) if str(new) in allowed else f"{new}x{new}"
        self._core.setProperty(self._camera, "Binning", text)
        whole = Window(0, 0, *self._size_of_all(), new)
        if (old.height, old.width) == (self._sensor().height, self._sensor().width):
            self._window = whole
        else:
            self._show(Window(old.y0, old.x0, old.height, old.width, new))

    def _size_of_all(self) -> tuple[int, int]:
        """Return height and width of the sensor, px; there must be no ROI."""
        self._core.clearROI()
        binning = self._binning()
        self._sensor_px = (
            self._core.getImageHeight() * binning,
            self._core.getImageWidth() * binning,
        )
        return self._sensor_px

    def _sensor(self) -> Window:
        return Window(0, 0, *self._sensor_px)

    def _steps(self) -> SensorSteps:
        binning = self._window.binning
        step = (binning, binning)
        return SensorSteps(self._sensor(), (8 * binning, 8 * binning), step, step)

    def _read_roi(self) -> Property:
        return self._steps().property(self._window)

    def _write_roi(self, value: float | str) -> None:
        self._show(Window.parse(str(value), self._window.binning))

    def _show(self, wanted: Window) -> None:
        window = self._steps().nearest(wanted)
        edges = (window.x0, window.y0, window.width, window.height)
        if (window.height, window.width) == self._sensor_px:
            self._core.clearROI()
        else:
            self._core.setROI(self._camera, *(edge // window.binning for edge in edges))
        self.refresh()

    # --- presets, shutters, switches ----------------------------------------------------

    def _preset(self, name: str, group: str) -> Setting:
        def read() -> Property:
            now = self._core.getCurrentConfigFromCache(group)
            return _choice(name, self._core.getAvailableConfigs(group), now)

        def write(value: float | str) -> None:
            self._core.setConfig(group, str(value))
            self._core.waitForConfig(group, str(value))

        return Setting(read, write)

    def _auto_shutter(self) -> Setting:
        def read() -> Property:
            return _choice(
                "auto shutter", (_ON, _OFF), _ON if self._core.getAutoShutter() else _OFF
            )

        return Setting(read, lambda value: self._core.setAutoShutter(value == _ON))

    def _shutter(self, label: str) -> Setting:
        def read() -> Property:
            now = _OPEN if self._core.getShutterOpen(label) else _CLOSED
            return _choice(label, (_OPEN, _CLOSED), now)

        return Setting(read, lambda value: self._core.setShutterOpen(label, value == _OPEN))

    def _switch(self, label: str) -> Setting:
        def read() -> Property:
            return _choice(label, self._core.getStateLabels(label), self._core.getStateLabel(label))

        def write(value: float | str) -> None:
            self._core.setStateLabel(label, str(value))
            self._core.waitForDevice(label)

        return Setting(read, write)

    # --- what the camera has of its own -------------------------------------------------

    def _own(self, name: str) -> Setting | None:
        core, camera = self._core, self._camera
        if name in _OWN_NAMES or core.isPropertyReadOnly(camera, name):
            return None
        if core.isPropertyPreInit(camera, name):
            return None
        if core.getAllowedPropertyValues(camera, name):
            return Setting(
                lambda: self._read_choice(name), lambda value: self._set(name, str(value))
            )
        if not self._limited(name):
            return None
        whole = core.getPropertyType(camera, name) == _INTEGER

        def write(value: float | str) -> None:
            self._set(name, str(round(float(value))) if whole else str(value))

        return Setting(lambda: self._read_number(name), write)

    def _set(self, name: str, text: str) -> None:
        self._core.setProperty(self._camera, name, text)

    def _read_choice(self, name: str) -> Property:
        allowed = self._core.getAllowedPropertyValues(self._camera, name)
        return _choice(name, allowed, self._core.getProperty(self._camera, name))

    def _read_number(self, name: str) -> Property:
        value = float(self._core.getProperty(self._camera, name))
        return Steps(*self._limits(name)).property(name, "", value)

    def _limited(self, name: str) -> bool:
        core, camera = self._core, self._camera
        return bool(core.hasProperty(camera, name) and core.hasPropertyLimits(camera, name))

    def _limits(self, name: str) -> tuple[float, float]:
        core, camera = self._core, self._camera
        low = float(core.getPropertyLowerLimit(camera, name))
        return low, float(core.getPropertyUpperLimit(camera, name))


def _choice(name: str, allowed: Iterable[str], now: str) -> Property:
    """Return a choice of what is allowed; what it is now is always one of them."""
    choices = tuple(allowed)
    return Property(name, "", "choice", 0, 0, choices if now in choices else (*choices, now), now)
