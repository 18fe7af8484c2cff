"""A Basler camera through pypylon, or one of pylon's emulated ones.

Owns what pylon's own interface asks for; the rest is `GenicamCamera`. Frames that pylon could
not grab whole are counted as lost. Must not know rings or engines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.camera import MotorReadout
from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.genicam.camera import GenicamCamera, Grabbed
from napari_beadscope.devices.genicam.nodes import Value, library_words, unreadable, unsettable
from napari_beadscope.devices.vendor import Steps, camera_lost, vendor_library

#: The block ID of a frame for which the device told none.
_NO_BLOCK = 2**64 - 1


def find_pylon() -> tuple[DeviceInfo, ...]:
    """Return the Basler cameras that are connected, and emulated ones; the registry's search."""
    pylon = vendor_library("pypylon.pylon")
    return tuple(
        DeviceInfo(f"pylon:{device.GetSerialNumber()}", f"Basler {device.GetModelName()}")
        for device in pylon.TlFactory.GetInstance().EnumerateDevices()
    )


class PylonNodes:
    """The nodes of an open ``InstantCamera``."""

    def __init__(self, camera: Any) -> None:
        genicam = vendor_library("pypylon.genicam")
        self._camera, self._genicam = camera, genicam
        self._errors = (genicam.GenericException, TypeError, ValueError)

    def _node(self, name: str) -> Any:
        node = self._camera.GetNodeMap().GetNode(name)
        return getattr(self._camera, name) if node is not None else None

    def has(self, name: str) -> bool:
        """Whether it can be read."""
        node = self._node(name)
        return node is not None and self._genicam.IsReadable(node)

    def writable(self, name: str) -> bool:
        """Whether it can be set now."""
        node = self._node(name)
        return node is not None and self._genicam.IsWritable(node)

    def get(self, name: str) -> Value:
        """Return its value."""
        try:
            value: Value = self._node(name).Value
        except self._errors as error:
            raise unreadable(name, error) from error
        return value

    def put(self, name: str, value: Value) -> None:
        """Set it."""
        try:
            node = self._node(name)
            whole = hasattr(node, "Max") and isinstance(node.Max, int)
            node.Value = round(float(value)) if whole else value
        except self._errors as error:
            raise unsettable(name, value, error) from error

    def steps(self, name: str) -> Steps:
        """Return what it can be set to."""
        try:
            node = self._node(name)
            stepped = not hasattr(node, "HasInc") or node.HasInc()
            return Steps(node.Min, node.Max, node.Inc if stepped else 0)
        except self._errors as error:
            raise unreadable(name, error) from error

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the entries that can be chosen."""
        try:
            return tuple(self._node(name).Symbolics)
        except self._errors as error:
            raise unreadable(name, error) from error


class PylonCamera(GenicamCamera):
    """The Basler camera of a serial number.

    Examples
    --------
    >>> PylonCamera("0815-0000", {}).lock_name
    'pylon:0815-0000'
    """

    def __init__(self, serial: str, options: Mapping[str, Any]) -> None:
        super().__init__(serial, "pylon", dict(options))
        self._camera: Any = None
        self._pylon: Any = None

    def connect(self) -> PylonNodes:
        """Open it, if it is among the cameras that are connected."""
        pylon = self._pylon = vendor_library("pypylon.pylon")
        factory = pylon.TlFactory.GetInstance()
        devices = {one.GetSerialNumber(): one for one in factory.EnumerateDevices()}
        if self.device not in devices:
            known = ", ".join(f"pylon:{serial}" for serial in devices)
            raise DeviceError(
                f"there is no Basler camera with the serial number {self.device!r}",
                f"connected are {known}" if known else "none is connected: check cable and power",
            )
        try:
            self._camera = pylon.InstantCamera(factory.CreateDevice(devices[self.device]))
            self._camera.Open()
        except pylon.GenericException as error:
            raise DeviceError(
                f"the camera {self.label} cannot be opened ({library_words(error)})",
                "close other programs that use it",
            ) from error
        nodes = PylonNodes(self._camera)
        if devices[self.device].GetDeviceClass() == "BaslerGigE":
            long = nodes.has("GevGVSPExtendedIDMode") and nodes.get("GevGVSPExtendedIDMode") == "On"
            self.counter_range = (1, 0) if long else (1, 65535)
            if nodes.has("GevTimestampTickFrequency"):
                self.tick_ns = 1e9 / float(nodes.get("GevTimestampTickFrequency"))
        return nodes

    def disconnect(self) -> None:
        """Close it; a camera that is gone cannot be told so."""
        camera, self._camera = self._camera, None
        if camera is not None:
            with contextlib.suppress(self._pylon.GenericException):
                camera.Close()

    def begin(self) -> None:
        """Grab into as many buffers as the options say, in order."""
        with self._losing():
            self._camera.MaxNumBuffer.Value = self.options.buffers
            self._camera.StartGrabbing(self._pylon.GrabStrategy_OneByOne)

    def end(self) -> int:
        """Stop to grab; return how many buffers were ready."""
        try:
            unread = int(self._camera.NumReadyBuffers.Value)
            self._camera.StopGrabbing()
        except self._pylon.GenericException:
            return 0  # it is gone, and whoever reads from it has been told, or will be
        return unread

    def fetch(self, out: np.ndarray, timeout_s: float) -> Grabbed | None:
        """Copy the oldest result; one that failed is a damaged frame."""
        with self._losing():
            result = self._camera.RetrieveResult(
                int(timeout_s * 1e3), self._pylon.TimeoutHandling_Return
            )
        if not result or not result.IsValid():
            return None
        try:
            block = result.BlockID
            whole = result.GrabSucceeded()
            if whole:
                with result.GetArrayZeroCopy() as image:
                    self.copy(image, out)
                    del image  # pylon insists
            return Grabbed(whole, None if block == _NO_BLOCK else block, result.TimeStamp)
        finally:
            result.Release()

    def check_alive(self) -> None:
        """Ask pylon whether the device was removed."""
        with self._losing():
            gone = self._camera.IsCameraDeviceRemoved()
        if gone:
            raise camera_lost(self.label)

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except self._pylon.GenericException as error:
            raise camera_lost(self.label, library_words(error)) from error


def open_pylon(serial: str, options: dict[str, Any], motors: MotorReadout | None) -> PylonCamera:
    """Return a Basler camera; what the registry calls."""
    return PylonCamera(serial, options)
