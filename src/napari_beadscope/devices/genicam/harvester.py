"""A camera of any vendor through its GenTL producer, by the library harvesters.

Owns what harvesters and GenTL ask for; the rest is `GenicamCamera`. Producers are the ``.cti``
files in the folders of ``GENICAM_GENTL64_PATH``, which their installers set. Must not know rings
or engines.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.camera import MotorReadout
from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.genicam.camera import GenicamCamera, Grabbed
from napari_beadscope.devices.genicam.nodes import Value, library_words, unreadable, unsettable
from napari_beadscope.devices.vendor import Steps, camera_lost, vendor_library

_FOLDERS = "GENICAM_GENTL64_PATH"
_ENUMERATE_MS = 2000
#: A wait of 0 means for ever to harvesters.
_SHORTEST_WAIT_S = 1e-3


def producers() -> tuple[Path, ...]:
    """Return the GenTL producers that the environment names.

    Raises
    ------
    DeviceError
        There is none.
    """
    folders = [Path(one) for one in os.environ.get(_FOLDERS, "").split(os.pathsep) if one]
    found = tuple(path for folder in folders for path in sorted(folder.glob("*.cti")))
    if not found:
        raise DeviceError(
            "no GenTL producer is installed",
            f"install the camera vendor's, and let {_FOLDERS} name the folder of its .cti file",
        )
    return found


@contextmanager
def _harvest() -> Iterator[Any]:
    """Hold a ``Harvester`` that knows the devices of all producers."""
    gentl = vendor_library("genicam.gentl")
    harvester = vendor_library("harvesters.core").Harvester()
    try:
        for path in producers():
            harvester.add_file(str(path))
        try:
            harvester.update()
        except gentl.GenericException as error:
            raise DeviceError(
                f"a GenTL producer does not answer ({library_words(error)})",
                f"see what {_FOLDERS} names",
            ) from error
        yield harvester
    finally:
        harvester.reset()


def _told(device: Any, what: str) -> str:
    """Return what a producer tells about a device; '' for nothing, which is allowed."""
    gentl = vendor_library("genicam.gentl")
    try:
        return str(getattr(device, what))
    except (gentl.GenericException, AttributeError):
        return ""


def find_genicam() -> tuple[DeviceInfo, ...]:
    """Return the cameras of all GenTL producers; the registry's search."""
    with _harvest() as harvester:
        return tuple(
            DeviceInfo(
                f"genicam:{_told(device, 'id_')}",
                f"{_told(device, 'vendor')} {_told(device, 'model')}"
                f" {_told(device, 'serial_number')}".strip(),
            )
            for device in harvester.device_info_list
        )


class GenApiNodes:
    """The nodes of a device that harvesters has opened."""

    def __init__(self, nodes: Any) -> None:
        genapi = vendor_library("genicam.genapi")
        self._nodes = nodes
        self._errors = (genapi.GenericException, TypeError, ValueError, AttributeError)
        self._readable = (genapi.EAccessMode.RO, genapi.EAccessMode.RW)
        self._writable = (genapi.EAccessMode.WO, genapi.EAccessMode.RW)

    def _access(self, name: str) -> int:
        try:
            return int(getattr(self._nodes, name).get_access_mode())
        except self._errors:
            return -1

    def has(self, name: str) -> bool:
        """Whether it can be read."""
        return self._access(name) in self._readable

    def writable(self, name: str) -> bool:
        """Whether it can be set now."""
        return self._access(name) in self._writable

    def get(self, name: str) -> Value:
        """Return its value."""
        try:
            value: Value = getattr(self._nodes, name).value
        except self._errors as error:
            raise unreadable(name, error) from error
        return value

    def put(self, name: str, value: Value) -> None:
        """Set it."""
        try:
            node = getattr(self._nodes, name)
            whole = hasattr(node, "max") and isinstance(node.max, int)
            node.value = round(float(value)) if whole else value
        except self._errors as error:
            raise unsettable(name, value, error) from error

    def steps(self, name: str) -> Steps:
        """Return what it can be set to."""
        try:
            node = getattr(self._nodes, name)
            stepped = not hasattr(node, "has_inc") or node.has_inc()
            return Steps(node.min, node.max, node.inc if stepped else 0)
        except self._errors as error:
            raise unreadable(name, error) from error

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the entries that can be chosen."""
        try:
            entries = getattr(self._nodes, name).entries
            return tuple(
                one.symbolic for one in entries if int(one.get_access_mode()) in self._readable
            )
        except self._errors as error:
            raise unreadable(name, error) from error

    def ask_device(self) -> None:
        """Read a node from the device itself, past what is remembered of it."""
        self._nodes.Width.get_value(False, True)


class HarvesterCamera(GenicamCamera):
    """The camera that a GenTL producer calls by this ID, or of this serial number.

    Examples
    --------
    >>> HarvesterCamera("DEV_1AB2", {}).lock_name
    'genicam:DEV_1AB2'
    """

    def __init__(self, device: str, options: dict[str, Any]) -> None:
        super().__init__(device, "genicam", options)
        self._held = contextlib.ExitStack()
        self._acquirer: Any = None
        self._nodes: GenApiNodes
        self._errors: tuple[type[Exception], ...] = ()
        self._untold: tuple[type[Exception], ...] = ()

    def connect(self) -> GenApiNodes:
        """Open it, if a producer knows it."""
        genapi, gentl = vendor_library("genicam.genapi"), vendor_library("genicam.gentl")
        self._errors = (genapi.GenericException, gentl.GenericException)
        self._untold = (AttributeError, *self._errors)
        harvester = self._held.enter_context(_harvest())
        devices = harvester.device_info_list
        ids = [_told(device, "id_") for device in devices]
        serials = [_told(device, "serial_number") for device in devices]
        wanted = self.device
        if wanted not in ids and serials.count(wanted) != 1:
            known = ", ".join(f"genicam:{one}" for one in ids)
            raise DeviceError(
                f"no GenTL producer ({', '.join(path.name for path in producers())})"
                f" knows a camera {wanted!r}",
                f"connected are {known}" if known else "none is connected: check cable and power",
            )
        index = ids.index(wanted) if wanted in ids else serials.index(wanted)
        try:
            with _interrupts_kept():
                self._acquirer = harvester.create(index)
        except self._errors as error:
            raise DeviceError(
                f"the camera {self.label} cannot be opened ({library_words(error)})",
                "close other programs that use it",
            ) from error
        self._nodes = GenApiNodes(self._acquirer.remote_device.node_map)
        return self._nodes

    def disconnect(self) -> None:
        """Let go of it; a camera that is gone cannot be told so."""
        acquirer, self._acquirer = self._acquirer, None
        if acquirer is not None:
            with contextlib.suppress(*self._errors):
                acquirer.destroy()
        self._held.close()

    def begin(self) -> None:
        """Stream into as many buffers as the options say, or the producer needs."""
        with self._losing():
            acquirer = self._acquirer
            acquirer.num_buffers = max(self.options.buffers, acquirer.min_num_buffers)
            acquirer.start()

    def end(self) -> int:
        """Stop to stream; return how many frames were there."""
        unread = 0
        try:
            for stream in self._acquirer.data_streams:
                unread += int(stream.num_awaiting_delivery)
        except self._untold:
            unread = 0  # not every producer counts them
        with contextlib.suppress(*self._errors):  # it is gone, which its reader is told
            self._acquirer.stop()
        return unread

    def fetch(self, out: np.ndarray, timeout_s: float) -> Grabbed | None:
        """Copy the oldest frame; harvesters leaves damaged ones out, their numbers are missing."""
        with self._losing():
            buffer = self._acquirer.try_fetch(timeout=max(timeout_s, _SHORTEST_WAIT_S))
        if buffer is None:
            return None
        try:
            component = buffer.payload.components[0]
            self.copy(component.data.reshape(component.height, component.width), out)
            return Grabbed(True, self._number(buffer.module), self._ticks(buffer.module))
        finally:
            with self._losing():
                buffer.queue()

    def _number(self, frame: Any) -> int | None:
        try:
            return int(frame.frame_id)
        except self._errors:
            return None

    def _ticks(self, frame: Any) -> int:
        try:
            return int(frame.timestamp_ns)
        except self._untold:
            return 0

    def check_alive(self) -> None:
        """Read from the device itself."""
        with self._losing():
            self._nodes.ask_device()

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise camera_lost(self.label, library_words(error)) from error


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Undo that harvesters takes over Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def open_genicam(
    device: str, options: dict[str, Any], motors: MotorReadout | None
) -> HarvesterCamera:
    """Return a camera of a GenTL producer; what the registry calls."""
    return HarvesterCamera(device, options)
