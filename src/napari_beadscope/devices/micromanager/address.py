"""What the IDs of Micro-Manager's devices mean, and where those of one configuration meet.

Owns the grammar of ``FILE.cfg``, ``FILE.cfg:DEVICE`` and ``FILE.cfg:DEVICE:AXIS``, and the names
of the locks and of the word that the process with the core leaves. Must not know the core.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices.vendor import vendor_library
from napari_beadscope.wire import runtime_folder

#: The configuration of simulated devices that comes with Micro-Manager.
DEMO = "demo"
_DEMO_FILE = "MMConfig_demo.cfg"
_INSTALL = "run 'mmcore install', or let MICROMANAGER_PATH name the folder of Micro-Manager"
_GRAMMAR = re.compile(r"(?P<file>demo|.*?\.cfg)(?::(?P<device>.+?))??(?::(?P<axis>[xy]))?", re.I)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A hardware configuration file, and the folder of the device adapters that it needs."""

    path: Path
    adapters: Path

    @property
    def _stem(self) -> str:
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        return str(runtime_folder() / f"micromanager-{name}")

    @property
    def host_lock(self) -> Path:
        """Held by the process with the core."""
        return Path(f"{self._stem}.host.lock")

    @property
    def camera_lock(self) -> Path:
        """Held by the process that reads the camera; others must let it have the core."""
        return Path(f"{self._stem}.camera.lock")

    @property
    def word(self) -> Path:
        """Says how to reach the process with the core."""
        return Path(f"{self._stem}.json")


@dataclass(frozen=True, slots=True)
class Address:
    """What the argument of an ID names; ``device`` and ``axis`` are '' for the usual ones.

    Examples
    --------
    >>> Address.parse("C:/scope/left.cfg:XY:x")
    Address(file='C:/scope/left.cfg', device='XY', axis='x')
    >>> Address.parse("demo")
    Address(file='demo', device='', axis='')
    """

    file: str
    device: str = ""
    axis: str = ""

    @classmethod
    def parse(cls, argument: str) -> Address:
        """Return what `argument` names; InputError if it names no configuration."""
        match = _GRAMMAR.fullmatch(argument)
        if match is None:
            raise InputError(
                f"micromanager:{argument} names no configuration of Micro-Manager",
                "write it as micromanager:FILE.cfg, micromanager:FILE.cfg:DEVICE or, for the"
                " simulated devices of Micro-Manager, micromanager:demo",
            )
        return cls(match["file"], match["device"] or "", (match["axis"] or "").lower())

    def configuration(self) -> Configuration:
        """Return the file and its adapters; InputError or DeviceError if either is not there."""
        folder = adapters_folder()
        if self.file.lower() == DEMO:
            path = folder / _DEMO_FILE
        else:
            path = Path(self.file).expanduser().absolute()
        if not path.is_file():
            ours = path.parent == folder
            remedy = _INSTALL if ours else "check its path"
            raise InputError(f"there is no configuration file {path}", remedy)
        return Configuration(path.resolve(), folder)


def absolute_argument(argument: str) -> str:
    """Return the argument of an ID with the whole path of its file, wherever that is read.

    Examples
    --------
    >>> absolute_argument("demo:Z"), absolute_argument("/lab/scope.cfg:Z")
    ('demo:Z', '/lab/scope.cfg:Z')
    """
    address = Address.parse(argument)
    if address.file.lower() == DEMO:
        return argument
    return str(Path(address.file).expanduser().absolute()) + argument[len(address.file) :]


def adapters_folder() -> Path:
    """Return the folder of Micro-Manager's device adapters; DeviceError if there is none."""
    found = vendor_library("pymmcore_plus").find_micromanager()
    if not isinstance(found, str) or not Path(found).is_dir():
        raise DeviceError(
            "no device adapters of Micro-Manager that fit pymmcore were found",
            _INSTALL,
        )
    return Path(found)
