"""Which cameras and motors there are, as data, and how to get one by its ID.

Owns the tables; the modules they name are imported on use. Must not know any device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices import own
from napari_beadscope.devices.camera import Camera, Motor, MotorReadout, Sensor
from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.search import search

_HERE = "napari_beadscope.devices"
_PATIENCE_S = 30.0  # for libraries that look for devices
_Kind = TypeVar("_Kind", "CameraKind", "MotorKind")


@dataclass(frozen=True, slots=True)
class CameraKind:
    """A kind of camera: how to write its ID and where its factory is.

    ``factory`` is ``module:name`` of what makes it from ``(argument, options, motors)``, where
    the argument is what follows ``PREFIX:`` in the ID; ``needs`` are modules that must be
    installed, ``extra`` the package extra that brings them; ``check`` is ``module:name`` of what
    says why it cannot be used although those are; ``discover`` is ``module:name`` of what
    returns a `DeviceInfo` for each device that is there, '' if nothing can be looked for;
    ``absolute`` is ``module:name`` of what gives an argument that holds a path its whole path;
    ``options`` is ``module:name`` of the pydantic model of its options, '' if only the camera
    itself knows them.
    """

    example: str
    label: str
    factory: str
    options: str = ""
    argument_needed: bool = False
    needs: tuple[str, ...] = ()
    extra: str = ""
    check: str = ""
    discover: str = ""
    absolute: str = ""


@dataclass(frozen=True, slots=True)
class MotorKind:
    """A kind of motor; what it shares with `CameraKind` means the same.

    ``usual_name`` is what it is called unless it is given another name; ``factory`` makes it
    from ``(argument, options)``; ``options`` is ``module:name`` of the pydantic model of its
    options.
    """

    example: str
    label: str
    usual_name: str
    factory: str
    options: str
    argument_needed: bool = False
    needs: tuple[str, ...] = ()
    extra: str = ""
    check: str = ""
    discover: str = ""
    absolute: str = ""


_CAMERAS = {
    "simulated": CameraKind(
        "simulated",
        "Simulated microscope with ground truth",
        f"{_HERE}.simulated.camera:open_simulated",
        f"{_HERE}.simulated.options:SimulatedOptions",
    ),
    "replay": CameraKind(
        "replay:PATH",
        "Replay of a TIFF, a movie or a folder of images",
        f"{_HERE}.replay.camera:open_replay",
        f"{_HERE}.replay.camera:ReplayOptions",
        argument_needed=True,
    ),
    "pylon": CameraKind(
        "pylon:SERIAL",
        "Basler camera",
        f"{_HERE}.pylon.camera:open_pylon",
        argument_needed=True,
        needs=("pypylon",),
        extra="pylon",
        discover=f"{_HERE}.pylon.camera:find_pylon",
    ),
    "genicam": CameraKind(
        "genicam:DEVICE",
        "Camera with a GenTL producer",
        f"{_HERE}.genicam.harvester:open_genicam",
        argument_needed=True,
        needs=("harvesters", "genicam"),
        extra="genicam",
        discover=f"{_HERE}.genicam.harvester:find_genicam",
    ),
    "aravis": CameraKind(
        "aravis:DEVICE",
        "GigE Vision or USB3 Vision camera through Aravis",
        f"{_HERE}.aravis.camera:open_aravis",
        argument_needed=True,
        check=f"{_HERE}.aravis.library:why_not",
        discover=f"{_HERE}.aravis.camera:find_aravis",
    ),
    "micromanager": CameraKind(
        "micromanager:FILE.cfg",
        "Camera of Micro-Manager, by its configuration file",
        f"{_HERE}.micromanager.camera:open_micromanager",
        argument_needed=True,
        needs=("pymmcore_plus",),
        extra="micromanager",
        discover=f"{_HERE}.micromanager.discovery:find_cameras",
        absolute=f"{_HERE}.micromanager.address:absolute_argument",
    ),
    "microscope": CameraKind(
        "microscope:CLASS",
        "Camera of python-microscope, by its class",
        f"{_HERE}.microscope.camera:open_microscope",
        argument_needed=True,
        needs=("microscope",),
        extra="microscope",
        absolute=f"{_HERE}.microscope.target:absolute_argument",
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
    "simulated-rotation": MotorKind(
        "simulated-rotation",
        "Simulated rotation of the magnet (turns)",
        "rotation",
        f"{_HERE}.simulated.motor:open_rotation",
        f"{_HERE}.simulated.motor:RotationOptions",
    ),
    "simulated-temperature": MotorKind(
        "simulated-temperature",
        "Simulated thermometer (°C)",
        "temperature",
        f"{_HERE}.simulated.motor:open_temperature",
        f"{_HERE}.simulated.motor:TemperatureOptions",
    ),
    "micromanager": MotorKind(
        "micromanager:FILE.cfg:STAGE",
        "Stage of Micro-Manager, by its configuration file (µm)",
        "focus",
        f"{_HERE}.micromanager.motor:open_stage",
        f"{_HERE}.micromanager.motor:StageOptions",
        argument_needed=True,
        needs=("pymmcore_plus",),
        extra="micromanager",
        discover=f"{_HERE}.micromanager.discovery:find_motors",
        absolute=f"{_HERE}.micromanager.address:absolute_argument",
    ),
    "microscope": MotorKind(
        "microscope:CLASS:AXIS",
        "Stage of python-microscope, by its class (µm)",
        "stage",
        f"{_HERE}.microscope.stage:open_stage",
        f"{_HERE}.microscope.stage:StageOptions",
        argument_needed=True,
        needs=("microscope",),
        extra="microscope",
        absolute=f"{_HERE}.microscope.target:absolute_argument",
    ),
}
#: Motors that a camera obeys and cannot be used well without.
_MOTORS_OF_CAMERA = {"simulated": ("simulated-focus", "simulated-magnet")}


def _load(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)


def _missing(kind: CameraKind | MotorKind) -> str:
    lacking = [name for name in kind.needs if find_spec(name) is None]
    if not lacking:
        return str(_load(kind.check)()) if kind.check else ""
    return f"{', '.join(lacking)} is not installed; pip install 'napari-beadscope[{kind.extra}]'"


def _info(kind: CameraKind | MotorKind, why_not: str = "") -> DeviceInfo:
    name = kind.usual_name if isinstance(kind, MotorKind) else ""
    return DeviceInfo(kind.example, kind.label, why_not or _missing(kind), name)


def _find(kinds: Sequence[CameraKind | MotorKind]) -> tuple[DeviceInfo, ...]:
    wanted = [kind for kind in kinds if kind.discover and not _missing(kind)]
    answers = iter(search([kind.discover for kind in wanted], _PATIENCE_S))
    found: list[DeviceInfo] = []
    for kind in kinds:
        answer = next(answers) if kind in wanted else ""
        if isinstance(answer, str):
            found.append(_info(kind, answer))
        else:
            found += answer or [_info(kind, "none is connected")]
    return tuple(found)


def list_cameras() -> tuple[DeviceInfo, ...]:
    """Return every kind of camera, available or not, without looking for devices.

    Examples
    --------
    >>> [camera.id for camera in list_cameras()][:2]
    ['simulated', 'replay:PATH']
    """
    return tuple(_info(kind) for kind in _CAMERAS.values())


def list_motors() -> tuple[DeviceInfo, ...]:
    """Return every kind of motor, available or not, without looking for devices.

    Examples
    --------
    >>> [motor.id for motor in list_motors()][:2]
    ['simulated-focus', 'simulated-magnet']
    """
    return tuple(_info(kind) for kind in _MOTORS.values())


def find_cameras() -> tuple[DeviceInfo, ...]:
    """Return the cameras that are connected, and each kind of which there is none, with why.

    The libraries of all vendors that are installed look for them, in processes of their own,
    which takes seconds.
    """
    return _find(tuple(_CAMERAS.values()))


def find_motors() -> tuple[DeviceInfo, ...]:
    """Return the motors that are connected, and each kind of which there is none, with why."""
    return _find(tuple(_MOTORS.values()))


def open_camera(
    camera_id: str,
    options: dict[str, Any] | None = None,
    motors: MotorReadout | None = None,
) -> Camera:
    """Return a camera that is not yet opened.

    Parameters
    ----------
    camera_id : str
        ``PREFIX`` or ``PREFIX:ARGUMENT``: ``simulated``, ``simulated:NAME`` (one engine at a
        time), ``replay:PATH`` or another that `list_cameras` tells; or a class of one's own,
        ``path/to/file.py:ClassName`` or ``package.module:ClassName``.
    options : dict, optional
        What that camera takes: see `SimulatedOptions` and `ReplayOptions`; for a class of one's
        own, the arguments of its ``__init__``.
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
    if _is_own(camera_id, _CAMERAS):
        mine: Camera = own.open_own(camera_id, options or {}, (Camera,))
        return mine
    kind, argument = _kind(camera_id, _CAMERAS, "camera")
    camera: Camera = _load(kind.factory)(argument, options or {}, motors)
    return camera


def open_motor(motor_id: str, options: dict[str, Any] | None = None) -> Motor | Sensor:
    """Return a motor or sensor that is not yet opened.

    Its ID is ``PREFIX`` or ``PREFIX:ARGUMENT``, or a class of one's own as for a camera.

    Raises
    ------
    InputError
        There is no such motor, or an option is not valid.
    DeviceError
        Something it needs is not installed.

    Examples
    --------
    >>> open_motor("simulated-focus").unit
    'um'
    """
    if _is_own(motor_id, _MOTORS):
        mine: Motor | Sensor = own.open_own(motor_id, options or {}, (Motor, Sensor))
        return mine
    kind, argument = _kind(motor_id, _MOTORS, "motor")
    motor: Motor | Sensor = _load(kind.factory)(argument, options or {})
    return motor


def motors_of_camera(camera_id: str) -> tuple[DeviceInfo, ...]:
    """Return the motors that belong to a camera.

    Examples
    --------
    >>> [motor.usual_name for motor in motors_of_camera("simulated:left")]
    ['focus', 'magnet']
    >>> motors_of_camera("replay:movie.tif")
    ()
    """
    prefixes = _MOTORS_OF_CAMERA.get(camera_id.partition(":")[0], ())
    return tuple(_info(_MOTORS[prefix]) for prefix in prefixes)


def camera_options(camera_id: str) -> Any:
    """Return the pydantic model of a camera's options, None if only the camera knows them.

    Errors are those of `open_camera`.
    """
    if _is_own(camera_id, _CAMERAS):
        return own.own_options(camera_id)
    kind, _ = _kind(camera_id, _CAMERAS, "camera")
    return _load(kind.options) if kind.options else None


def motor_options(motor_id: str) -> Any:
    """Return the pydantic model of a motor's options; errors are those of `open_motor`."""
    if _is_own(motor_id, _MOTORS):
        return own.own_options(motor_id)
    kind, _ = _kind(motor_id, _MOTORS, "motor")
    return _load(kind.options)


def absolute_id(device_id: str) -> str:
    """Return an ID that means the same in every process: files by their whole path.

    A path after ``replay:`` is left as it is.

    Examples
    --------
    >>> absolute_id("replay:movie.tif"), absolute_id("/lab/stage.py:Stage")
    ('replay:movie.tif', '/lab/stage.py:Stage')
    """
    kinds: dict[str, CameraKind | MotorKind] = {**_MOTORS, **_CAMERAS}
    if _is_own(device_id, kinds):
        return own.absolute_id(device_id)
    prefix, colon, argument = device_id.partition(":")
    if colon and prefix in kinds and kinds[prefix].absolute:
        return f"{prefix}:{_load(kinds[prefix].absolute)(argument)}"
    return device_id


def _is_own(device_id: str, kinds: Mapping[str, object]) -> bool:
    return device_id.partition(":")[0] not in kinds and own.is_own(device_id)


def _kind(device_id: str, kinds: dict[str, _Kind], noun: str) -> tuple[_Kind, str]:
    """Return the kind that an ID names, which can be used, and the ID's argument."""
    prefix, _, argument = device_id.partition(":")
    kind = kinds.get(prefix)
    if kind is None:
        known = ", ".join(item.example for item in kinds.values())
        raise InputError(
            f"there is no {noun} {device_id!r}",
            f"choose from {known}, or name a class of yours as path/to/file.py:ClassName",
        )
    if kind.argument_needed and not argument:
        raise InputError(f"{device_id!r} says not which", f"write it as {kind.example}")
    why_not = _missing(kind)
    if why_not:
        raise DeviceError(f"the {noun} {device_id!r} cannot be used", why_not)
    return kind, argument
