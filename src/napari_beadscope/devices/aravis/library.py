"""The Aravis C library, called through ctypes.

Owns how it is found, how its functions are called and how its errors become exceptions. It needs
nothing but the shared library itself: no compiler, no PyGObject. Must not know `Camera`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import DeviceError

_NAMES = ("libaravis-0.8.so.0", "libaravis-0.8.0.dylib", "libaravis-0.8.dylib")
_HOW_TO_INSTALL = (
    "install it, for instance by: apt install libaravis-0.8-0, brew install aravis,"
    " or conda install -c conda-forge aravis"
)
_NOT_CONNECTED, _TIMEOUT = 2, 5  # of enum ArvDeviceError
Pointer = ctypes.c_void_p
#: A handler of the signal ``control-lost``.
LostHandler = ctypes.CFUNCTYPE(None, Pointer, Pointer)


class AravisError(DeviceError):
    """Aravis reports an error; ``is_away`` if it is that the device does not answer."""

    is_away = False


class _GError(ctypes.Structure):
    _fields_ = (
        ("domain", ctypes.c_uint32),
        ("code", ctypes.c_int),
        ("message", ctypes.c_char_p),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that answered: its ID, address, maker, model and serial number."""

    id: str
    address: str
    vendor: str
    model: str
    serial: str


class Library:
    """The loaded library; see `load`."""

    def __init__(self, handle: ctypes.CDLL) -> None:
        self._handle = handle

    def call(self, name: str, *arguments: Any, returns: Any = None) -> Any:
        """Call a function that cannot fail; text comes back as str."""
        function = getattr(self._handle, name)
        function.restype = returns
        value = function(*arguments)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def ask(self, name: str, *arguments: Any, returns: Any = None) -> Any:
        """Call a function whose last argument is for an error; AravisError if it sets it."""
        error = ctypes.POINTER(_GError)()
        value = self.call(name, *arguments, ctypes.byref(error), returns=returns)
        if error:
            code, text = error.contents.code, error.contents.message.decode(errors="replace")
            self.call("g_error_free", error)
            problem = AravisError(text.rstrip("."))
            problem.is_away = code in (_NOT_CONNECTED, _TIMEOUT)
            raise problem
        return value

    def two(self, name: str, subject: Pointer, kind: Any) -> tuple[Any, Any]:
        """Ask for two numbers that come back through pointers, such as bounds."""
        first, second = kind(), kind()
        self.ask(name, subject, ctypes.byref(first), ctypes.byref(second))
        return first.value, second.value

    def release(self, subject: Pointer) -> None:
        """Let go of an object."""
        self.call("g_object_unref", subject)

    def on_lost(self, device: Pointer, handler: Callable[..., None]) -> None:
        """Call `handler`, a `LostHandler`, when the device is lost; from any thread."""
        self.call("g_signal_connect_data", device, b"control-lost", handler, None, None, 0)

    def is_a(self, node: Pointer, kind: str) -> bool:
        """Whether an object is of a kind such as ``arv_gc_float``."""
        number = ctypes.c_size_t(self.call(f"{kind}_get_type", returns=ctypes.c_size_t))
        return bool(self.call("g_type_check_instance_is_a", node, number, returns=ctypes.c_int))

    def find(self) -> Iterator[Found]:
        """Look for cameras, which takes about a second."""
        self.call("arv_update_device_list")
        for index in range(self.call("arv_get_n_devices", returns=ctypes.c_uint)):
            told = [
                self.call(f"arv_get_device_{name}", ctypes.c_uint(index), returns=ctypes.c_char_p)
                for name in ("id", "address", "vendor", "model", "serial_nbr")
            ]
            yield Found(*(text or "" for text in told))


@cache
def load() -> Library:
    """Load the library; DeviceError if it is not installed."""
    here = Path(sys.prefix) / "lib"
    for place in [*_NAMES, *(str(here / name) for name in _NAMES)]:
        try:
            return Library(ctypes.CDLL(place))
        except OSError:
            continue
    raise DeviceError("the Aravis library (version 0.8) is not installed", _HOW_TO_INSTALL)


def why_not() -> str:
    """Return why there are no cameras of this kind here; '' if there may be."""
    try:
        load()
    except DeviceError as error:
        return str(error)
    return ""
