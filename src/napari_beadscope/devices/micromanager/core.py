"""The core of Micro-Manager with a configuration loaded, and its errors in our words.

Must not know cameras, stages or processes. The core is that of pymmcore, not pymmcore-plus's:
that runs Python upon every change of every device, also while frames come.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.micromanager.address import Configuration

if TYPE_CHECKING:
    from pymmcore import CMMCore


@contextmanager
def told(what: str, remedy: str = "look at the device with Micro-Manager") -> Iterator[None]:
    """Turn what the core raises inside into a DeviceError that says `what` failed, and why.

    Examples
    --------
    >>> with told("the stage Z cannot move"):
    ...     raise RuntimeError("Error 10007")
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.DeviceError: the stage Z cannot move (Error 10007): look at the device with Micro-Manager
    """  # noqa: E501
    try:
        yield
    except (RuntimeError, OSError, ValueError, IndexError, MemoryError) as error:
        said = " ".join(str(error).split())
        raise DeviceError(f"{what} ({said})", remedy) from error


def load_core(configuration: Configuration) -> CMMCore:
    """Return a core with every device of the configuration ready.

    Raises
    ------
    DeviceError
        The file is not valid, an adapter is missing or a device does not answer.
    """
    from pymmcore import CMMCore

    core = CMMCore()
    core.enableFeature("StrictInitializationChecks", True)
    core.setDeviceAdapterSearchPaths([str(configuration.adapters)])
    remedy = "check the file with Micro-Manager's Hardware Configuration Wizard, and the devices"
    try:
        with told(f"Micro-Manager cannot load {configuration.path}", remedy):
            core.loadSystemConfiguration(str(configuration.path))
    except DeviceError:
        core.unloadAllDevices()
        raise
    return core


def labels_of(core: CMMCore, kind: str) -> tuple[str, ...]:
    """Return the labels of all devices of a kind: ``Camera``, ``Stage``, ``Shutter``, ..."""
    import pymmcore

    return tuple(core.getLoadedDevicesOfType(getattr(pymmcore, f"{kind}Device")))
