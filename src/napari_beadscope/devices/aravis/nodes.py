"""The GenICam nodes of a camera that Aravis has opened.

Owns which of Aravis' functions reads and sets which type of node. Must not know names of nodes.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from napari_beadscope.devices.aravis.library import AravisError, Library, Pointer
from napari_beadscope.devices.genicam.nodes import Value, unreadable, unsettable
from napari_beadscope.devices.vendor import Steps

# of the enum ArvGcAccessMode
_READABLE, _WRITABLE = (0, 2), (1, 2)
#: Types in the order in which they are to be looked for: an enumeration is an integer as well.
_KINDS = {
    "arv_gc_enumeration": "string",
    "arv_gc_boolean": "boolean",
    "arv_gc_integer": "integer",
    "arv_gc_float": "float",
    "arv_gc_string": "string",
}
_CTYPES: dict[str, Any] = {
    "string": ctypes.c_char_p,
    "boolean": ctypes.c_int,
    "integer": ctypes.c_int64,
    "float": ctypes.c_double,
}


class AravisNodes:
    """The nodes of a device, as `napari_beadscope.devices.genicam.nodes.Nodes`."""

    def __init__(self, lib: Library, device: Pointer) -> None:
        self._lib, self._device = lib, device
        self._kind = cache(self._kind_of)

    def _node(self, name: str) -> Pointer | None:
        found = self._lib.call(
            "arv_device_get_feature", self._device, name.encode(), returns=Pointer
        )
        return Pointer(found) if found else None

    def _kind_of(self, name: str) -> str:
        """Return 'string', 'boolean', 'integer' or 'float'; '' if there is no such node."""
        node = self._node(name)
        if node is None:
            return ""
        return next((value for kind, value in _KINDS.items() if self._lib.is_a(node, kind)), "")

    def _access(self, name: str) -> int:
        node = self._node(name)
        if node is None or not self._kind(name) or not self._ask("is_feature_available", name):
            return -1
        mode = "arv_gc_feature_node_get_actual_access_mode"
        return int(self._lib.call(mode, node, returns=ctypes.c_int))

    def _ask(self, verb: str, name: str, *more: Any, returns: Any = ctypes.c_int) -> Any:
        return self._lib.ask(
            f"arv_device_{verb}", self._device, name.encode(), *more, returns=returns
        )

    def has(self, name: str) -> bool:
        """Whether it can be read."""
        return self._access(name) in _READABLE

    def writable(self, name: str) -> bool:
        """Whether it can be set now."""
        return self._access(name) in _WRITABLE

    def get(self, name: str) -> Value:
        """Return its value."""
        kind = self._kind(name)
        try:
            value: Value = self._ask(f"get_{kind}_feature_value", name, returns=_CTYPES[kind])
        except AravisError as error:
            raise unreadable(name, error) from error
        return bool(value) if kind == "boolean" else value

    def put(self, name: str, value: Value) -> None:
        """Set it."""
        kind = self._kind(name)
        try:
            match kind:
                case "string":
                    given: Any = _CTYPES[kind](str(value).encode())
                case "float":
                    given = _CTYPES[kind](float(value))
                case _:
                    given = _CTYPES[kind](round(float(value)))
            self._ask(f"set_{kind}_feature_value", name, given, returns=None)
        except (AravisError, ValueError) as error:
            raise unsettable(name, value, error) from error

    def steps(self, name: str) -> Steps:
        """Return what it can be set to."""
        kind = self._kind(name)
        low, high = _CTYPES[kind](), _CTYPES[kind]()
        try:
            ends = (ctypes.byref(low), ctypes.byref(high))
            self._ask(f"get_{kind}_feature_bounds", name, *ends, returns=None)
            step = self._ask(f"get_{kind}_feature_increment", name, returns=_CTYPES[kind])
        except AravisError as error:
            raise unreadable(name, error) from error
        is_step = kind == "integer" or step > 1e-300  # the least float stands for any value
        return Steps(low.value, high.value, step if is_step else 0)

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the entries that can be chosen."""
        count = ctypes.c_uint()
        try:
            texts = self._ask(
                "dup_available_enumeration_feature_values_as_strings",
                name,
                ctypes.byref(count),
                returns=ctypes.POINTER(ctypes.c_char_p),
            )
        except AravisError as error:
            raise unreadable(name, error) from error
        entries = tuple(texts[k].decode() for k in range(count.value))
        self._lib.call("g_free", texts)
        return entries
