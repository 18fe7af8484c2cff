"""Which services there are, as data, and how to get one by its name in a plan.

Owns the table; the modules it names are imported on use. Must not know any service.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from napari_beadscope.batch.service import Service
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.own_code import own_file, own_module

GROUP = "napari_beadscope.services"
_HERE = "napari_beadscope.batch.services"
_SERVICES = {
    "copy": f"{_HERE}.copy:Copy",
    "segment": f"{_HERE}.segment:Segment",
    "align": f"{_HERE}.align:Align",
    "correct": f"{_HERE}.correct:Correct",
    "track": f"{_HERE}.track_cells:TrackCells",
    "extract": f"{_HERE}.extract:Extract",
    "find_beads": f"{_HERE}.find_beads:FindBeads",
    "track_beads": f"{_HERE}.track_beads:TrackBeads",
    "lookup_z": f"{_HERE}.track_beads:LookupZ",
    "link_beads": f"{_HERE}.link_beads:LinkBeads",
    "drift": f"{_HERE}.link_beads:Drift",
    "profiles": f"{_HERE}.link_beads:Profiles",
    "find_particles": f"{_HERE}.particles:FindParticles",
    "link_particles": f"{_HERE}.particles:LinkParticles",
    "smooth": f"{_HERE}.smooth:Smooth",
    "summary": f"{_HERE}.summary:Summary",
    "fit": f"{_HERE}.fit:Fit",
}


def service_names() -> tuple[str, ...]:
    """Return the names of our services and of those that installed packages bring."""
    return (*_SERVICES, *(name for name in _entry_points() if name not in _SERVICES))


def open_service(name: str, folder: Path | None = None) -> Service:
    """Return the service that a plan calls `name`.

    Parameters
    ----------
    name : str
        One of `service_names`, or ``my_file.py:Class`` for a class of your own.
    folder : Path, optional
        What the path of your own file is relative to; default the current folder.

    Raises
    ------
    InputError
        There is no such service, or it cannot be used.
    """
    own_file, _, own_class = name.rpartition(":")
    if own_file.endswith(".py"):
        path = (folder or Path()) / Path(own_file).expanduser()
        return _made(own_module(path.resolve()), own_class, name)
    target = _SERVICES.get(name) or _entry_points().get(name)
    if target is None:
        raise InputError(
            f"no service is called {name!r}",
            f"there are {', '.join(service_names())}; your own is my_file.py:Class",
        )
    module, _, attribute = target.partition(":")
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise InputError(
            f"the service {name!r} cannot be loaded ({error})", "install what is missing"
        ) from error
    return _made(loaded, attribute, name)


def code_identity(service: Service) -> str:
    """Return what identifies a service's code: its version, and for your own file its content."""
    path = own_file(type(service).__module__)
    if path is not None:
        return f"{service.version}:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return str(service.version)


@cache
def _entry_points() -> dict[str, str]:
    return {point.name: point.value for point in metadata.entry_points(group=GROUP)}


def _made(module: ModuleType, attribute: str, name: str) -> Service:
    kind = getattr(module, attribute, None)
    if not (isinstance(kind, type) and issubclass(kind, Service)):
        raise InputError(
            f"{name!r} is not a service: {module.__name__} has no subclass {attribute!r} of "
            "napari_beadscope.batch.service.Service",
            "name the class after the colon",
        )
    try:
        return kind()
    except TypeError as error:
        raise InputError(f"the service {name!r} cannot be made ({error})", "complete it") from error
