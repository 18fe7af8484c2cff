"""The few verbs with which a camera's GenICam nodes are read and set, whichever library does it.

Owns the vocabulary alone. Must not know the names of nodes or any library.
"""

from __future__ import annotations

import re
from typing import Protocol

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.devices.vendor import Steps

#: What a node holds.
Value = float | int | bool | str


class Nodes(Protocol):
    """A camera's nodes by name.

    Whatever the library raises comes as `DeviceError`, with its own words.
    """

    def has(self, name: str) -> bool:
        """Whether there is such a node and its value can be read now."""

    def writable(self, name: str) -> bool:
        """Whether it is there and can be set now; many cannot while frames stream."""

    def get(self, name: str) -> Value:
        """Return its value, of an enumeration the name of the entry."""

    def put(self, name: str, value: Value) -> None:
        """Set it; of an enumeration by the entry's name, a whole number as such."""

    def steps(self, name: str) -> Steps:
        """Return what a number can be set to now; a step of 0 for none."""

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the entries of an enumeration that can be chosen now."""


def library_words(error: Exception) -> str:
    """Return what a GenICam library says in an exception, without where in its code.

    Examples
    --------
    >>> library_words(ValueError("Value 9 is too big. : OutOfRangeException thrown in node 'W'"))
    'Value 9 is too big'
    """
    words = re.split(r"\s*:\s*\w+Exception thrown", str(error))[0].strip().rstrip(".")
    return words or type(error).__name__


def unreadable(name: str, error: Exception) -> DeviceError:
    """Return the error of a node that cannot be read."""
    return DeviceError(
        f"the camera does not tell its {name} ({library_words(error)})", "open the camera anew"
    )


def unsettable(name: str, value: Value, error: Exception) -> DeviceError:
    """Return the error of a node that cannot be set."""
    return DeviceError(
        f"the camera does not take {value!r} for its {name} ({library_words(error)})",
        "choose another value",
    )
