"""Which cameras and motors there are, as data, and how to get one by its ID.

Owns the tables; the modules they name are imported on use. Must not know any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices.camera import Camera, Motor, MotorReadout

_HERE = "napari_beadscope.devices"


@dataclass(frozen=True, slots=True)
class CameraKind:
    """A kind of camera: how to write its ID and where its factory is.

    ``argument`` describes what follows ``PREFIX:`` in the ID, '' for nothing; ``needs`` are
    modules that must be installed, ``extra`` the package extra that brings them.
    """

    example: str
    label: str
    factory: str
    argument_needed: bool = False
    needs: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera one can ask for; ``why_not`` is '' if available."""

    id: str
    label: str
    available: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class MotorKind:
    """A kind of motor.

    ``usual_name`` is what it is called unless it is given another name; ``factory`` and
    ``options`` are ``module:name`` of what opens it and of the pydantic model of its options.
    """

    id: str
    label: str
    usual_name: str
    factory: str
    options: str


_CAMERAS = {
    "simulated": CameraKind(
        "simulated",
        "Simulated microscope with ground truth",
        f"{_HERE}.simulated.camera:open_simulated",
    ),
    "replay": CameraKind(
        "replay:PATH",
        "Replay of a TIFF, a movie or a folder of images",
        f"{_HERE}.replay.camera:open_replay",
        argument_needed=True,
    ),
}
_MOTORS = {
    "simulated-focus": MotorKind(
        "simulated-focus",
        "Simulated focus (µm)",
        "focus",
        f"{_HERE}.simulated.motor:open_focus",
        f"{_HERE}.simulated.motor:FocusOptions",
    ),
    "simulated-magnet": MotorKind(
        "simulated-magnet",
        "Simulated magnet (mm)",
        "magnet",
        f"{_HERE}.simulated.motor:open_magnet",
        f"{_HERE}.simulated.motor:MagnetOptions",
    ),
}
#: Motors that a camera obeys and cannot be used well without.
_MOTORS_OF_CAMERA = {"simulated": ("simulated-focus", "simulated-magnet")}


def _load(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)


def _missing(kind: CameraKind) -> str:
    lacking = [name for name in kind.needs if find_spec(name) is None]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} is not installed; pip install 'napari-beadscope[{kind.extra}]'"


def list_cameras() -> tuple[CameraInfo, ...]:
    """Return every kind of camera, available or not.

    Examples
    --------
    >>> [camera.id for camera in list_cameras()]
    ['simulated', 'replay:PATH']
    """
    missing = {name: _missing(kind) for name, kind in _CAMERAS.items()}
    return tuple(
        CameraInfo(kind.example, kind.label, not missing[name], missing[name])
        for name, kind in _CAMERAS.items()
    )


def open_camera(
    camera_id: str,
    options: dict[str, Any] | None = None,
    motors: MotorReadout | None = None,
) -> Camera:
    """Return a camera that is not yet opened.

    Parameters
    ----------
    camera_id : str
        ``simulated``, ``simulated:NAME`` (one engine at a time) or ``replay:PATH``.
    options : dict, optional
        What that camera takes: see `SimulatedOptions` and `ReplayOptions`.
    motors : MotorReadout, optional
        Latest motor positions; only the simulated camera looks at them.

    Raises
    ------
    InputError
        There is no such camera, or an option is not valid.
    DeviceError
        Something it needs is not installed.

    Examples
    --------
    >>> open_camera("simulated", {"beads": 3}).format.shape
    (512, 512)
    """
    prefix, _, argument = camera_id.partition(":")
    kind = _CAMERAS.get(prefix)
    if kind is None:
        known = ", ".join(item.example for item in _CAMERAS.values())
        raise InputError(f"there is no camera {camera_id!r}", f"choose from {known}")
    if kind.argument_needed and not argument:
        raise InputError(f"{camera_id!r} says not which", f"write it as {kind.example}")
    why_not = _missing(kind)
    if why_not:
        raise DeviceError(f"the camera {camera_id!r} cannot be used", why_not)
    camera: Camera = _load(kind.factory)(argument, options or {}, motors)
    return camera


def open_motor(motor_id: str, options: dict[str, Any] | None = None) -> Motor:
    """Return a motor that is not yet opened: ``simulated-focus`` or ``simulated-magnet``.

    Raises
    ------
    InputError
        There is no such motor, or an option is not valid.

    Examples
    --------
    >>> open_motor("simulated-focus").unit
    'um'
    """
    motor: Motor = _load(_motor_kind(motor_id).factory)(options or {})
    return motor


def list_motors() -> tuple[MotorKind, ...]:
    """Return every kind of motor.

    Examples
    --------
    >>> [motor.id for motor in list_motors()]
    ['simulated-focus', 'simulated-magnet']
    """
    return tuple(_MOTORS.values())


def motors_of_camera(camera_id: str) -> tuple[MotorKind, ...]:
    """Return the motors that belong to a camera.

    Examples
    --------
    >>> [motor.usual_name for motor in motors_of_camera("simulated:left")]
    ['focus', 'magnet']
    >>> motors_of_camera("replay:movie.tif")
    ()
    """
    ids = _MOTORS_OF_CAMERA.get(camera_id.partition(":")[0], ())
    return tuple(_MOTORS[motor_id] for motor_id in ids)


def motor_options(motor_id: str) -> Any:
    """Return the pydantic model of a motor's options; InputError if there is no such motor."""
    return _load(_motor_kind(motor_id).options)


def _motor_kind(motor_id: str) -> MotorKind:
    if motor_id not in _MOTORS:
        raise InputError(f"there is no motor {motor_id!r}", f"choose from {', '.join(_MOTORS)}")
    return _MOTORS[motor_id]
