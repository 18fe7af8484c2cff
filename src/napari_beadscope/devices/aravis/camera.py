"""A GigE Vision or USB3 Vision camera through Aravis.

Owns control of the device, and its stream's buffers; the rest is `GenicamCamera`. Must not know
rings or engines.
"""

from __future__ import annotations

import ctypes
import re
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.aravis.library import (
    AravisError,
    Library,
    LostHandler,
    Pointer,
    load,
)
from napari_beadscope.devices.aravis.nodes import AravisNodes
from napari_beadscope.devices.camera import MotorReadout
from napari_beadscope.devices.found import DeviceInfo
from napari_beadscope.devices.genicam.camera import GenicamCamera, Grabbed
from napari_beadscope.devices.vendor import camera_lost

_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_SUCCESS = 0  # of the enum ArvBufferStatus
#: A camera stays with a program that was killed until it has missed its heartbeat, 3 s as a rule.
_CONTROL_PATIENCE_S, _CONTROL_PAUSE_S = 6.0, 0.25


def find_aravis() -> tuple[DeviceInfo, ...]:
    """Return the cameras that answer within a second; the registry's search."""
    return tuple(
        DeviceInfo(f"aravis:{one.id}", f"{one.vendor} {one.model} ({one.serial}) at {one.address}")
        for one in load().find()
    )


class AravisCamera(GenicamCamera):
    """The camera of an ID or serial number that Aravis finds, or at an address.

    Examples
    --------
    >>> AravisCamera("192.168.1.20", {}).lock_name
    'aravis:192.168.1.20'
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        super().__init__(name, "aravis", options)
        self._lib: Library
        self._camera: Pointer | None = None
        self._stream: Pointer | None = None
        self._lost = threading.Event()
        self._on_lost = LostHandler(lambda *_: self._lost.set())

    def connect(self) -> AravisNodes:
        """Take control of it, if it answers."""
        self._lib = load()
        self._lost.clear()
        self._camera = self._take_control()
        device = self._device(self._camera)
        self._lib.on_lost(device, self._on_lost)
        nodes = AravisNodes(self._lib, device)
        if self._is_network(self._camera):
            long = nodes.has("GevGVSPExtendedIDMode") and nodes.get("GevGVSPExtendedIDMode") == "On"
            self.counter_range = (1, 0) if long else (1, 65535)
        return nodes

    def _take_control(self) -> Pointer:
        end = time.monotonic() + _CONTROL_PATIENCE_S
        while True:
            camera = self._find()
            controls = "arv_gv_device_is_controller"
            device = self._device(camera)
            if not self._is_network(camera) or self._lib.call(
                controls, device, returns=ctypes.c_int
            ):
                return camera
            self._lib.release(camera)
            if time.monotonic() > end:
                raise DeviceError(
                    f"the camera {self.label} is in use by another program",
                    "close that one, or wait until it has ended",
                )
            time.sleep(_CONTROL_PAUSE_S)

    def _find(self) -> Pointer:
        try:
            name = self._address().encode()
            return Pointer(self._lib.ask("arv_camera_new", name, returns=Pointer))
        except AravisError as error:
            raise DeviceError(
                f"the camera {self.label} does not answer ({error.what})",
                "check its power and cable, and that its address is in this machine's network;"
                " beadscope cameras lists those that answer",
            ) from error

    def _address(self) -> str:
        """Return the address of a network camera, else its ID.

        By its address Aravis takes the network that leads there; by its ID any through which a
        broadcast reached it, so that its frames may never arrive at a machine with two networks.
        """
        for one in () if _ADDRESS.fullmatch(self.device) else self._lib.find():
            if self.device in (one.id, one.serial):
                return one.address if _ADDRESS.fullmatch(one.address) else one.id
        return self.device

    def _device(self, camera: Pointer) -> Pointer:
        return Pointer(self._lib.call("arv_camera_get_device", camera, returns=Pointer))

    def _is_network(self, camera: Pointer) -> bool:
        return bool(self._lib.call("arv_camera_is_gv_device", camera, returns=ctypes.c_int))

    def disconnect(self) -> None:
        """Let go of it; of one that is lost elsewhere, for that takes seconds."""
        camera, self._camera = self._camera, None
        stream, self._stream = self._stream, None
        if camera is None:
            return
        if self._lost.is_set():
            threading.Thread(target=self._let_go, args=(stream, camera), daemon=True).start()
        else:
            self._let_go(stream, camera)

    def _let_go(self, *objects: Pointer | None) -> None:
        for one in objects:
            if one is not None:
                self._lib.release(one)

    def begin(self) -> None:
        """Stream into as many buffers as the options say."""
        try:
            payload = self._lib.ask("arv_camera_get_payload", self._camera, returns=ctypes.c_uint)
            self._stream = Pointer(
                self._lib.ask("arv_camera_create_stream", self._camera, None, None, returns=Pointer)
            )
            for _ in range(self.options.buffers):
                size = ctypes.c_size_t(payload)
                self._queue(self._lib.call("arv_buffer_new_allocate", size, returns=Pointer))
            self._lib.ask("arv_camera_start_acquisition", self._camera)
        except AravisError as error:
            if error.is_away or self._lost.is_set():
                raise camera_lost(self.label, error.what) from error
            raise DeviceError(
                f"the camera {self.label} cannot be started ({error.what})",
                "switch it off and on, and try again",
            ) from error

    def end(self) -> int:
        """Stop to stream; return how many buffers were filled."""
        stream = self._stream
        if stream is None or self._lost.is_set():  # one that is lost keeps its stream to the end
            return 0
        with suppress(AravisError):  # it is gone, and whoever reads from it will be told
            self._lib.ask("arv_camera_stop_acquisition", self._camera)
        queued, filled = ctypes.c_int(), ctypes.c_int()
        numbers = (ctypes.byref(queued), ctypes.byref(filled))
        self._lib.call("arv_stream_get_n_buffers", stream, *numbers)
        self._stream = None
        self._lib.release(stream)
        return filled.value

    def fetch(self, out: np.ndarray, timeout_s: float) -> Grabbed | None:
        """Copy the oldest whole frame.

        Of a frame with missing packets not even the counter can be trusted, for its first packet
        may be the one; the next whole frame's tells that it is missing.
        """
        end_s = time.monotonic() + timeout_s
        grabbed = None
        while grabbed is None:
            wait_us = ctypes.c_uint64(max(0, round((end_s - time.monotonic()) * 1e6)))
            buffer = self._lib.call(
                "arv_stream_timeout_pop_buffer", self._stream, wait_us, returns=Pointer
            )
            if not buffer:
                return None
            try:
                grabbed = self._take(Pointer(buffer), out)
            finally:
                self._queue(buffer)
        return grabbed

    def _take(self, buffer: Pointer, out: np.ndarray) -> Grabbed | None:
        """Copy a buffer's frame; None if it is not whole."""
        if self._lib.call("arv_buffer_get_status", buffer, returns=ctypes.c_int) != _SUCCESS:
            return None
        height, width = (
            self._lib.call(f"arv_buffer_get_image_{side}", buffer, returns=ctypes.c_int)
            for side in ("height", "width")
        )
        size = ctypes.c_size_t()
        place = self._lib.call("arv_buffer_get_data", buffer, ctypes.byref(size), returns=Pointer)
        wanted = height * width * out.itemsize
        if not place or size.value < wanted:
            return None
        pixels = np.ctypeslib.as_array((ctypes.c_ubyte * wanted).from_address(place))
        self.copy(pixels.view(out.dtype).reshape(height, width), out)
        counted, ticks = (
            self._lib.call(f"arv_buffer_get_{what}", buffer, returns=ctypes.c_uint64)
            for what in ("frame_id", "timestamp")
        )
        return Grabbed(True, counted, ticks)

    def _queue(self, buffer: int) -> None:
        self._lib.call("arv_stream_push_buffer", self._stream, Pointer(buffer))

    def check_alive(self) -> None:
        """Ask whether Aravis has missed the device's heartbeat."""
        if self._lost.is_set():
            raise camera_lost(self.label)


def open_aravis(name: str, options: dict[str, Any], motors: MotorReadout | None) -> AravisCamera:
    """Return a camera that Aravis drives; what the registry calls."""
    return AravisCamera(name, options)
