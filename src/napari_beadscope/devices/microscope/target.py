"""The python-microscope device that an ID names: its class, and the object made of it.

Owns what follows ``microscope:`` in an ID, and the arguments of the class. Must not know what
the device does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError
from napari_beadscope.devices import own
from napari_beadscope.devices.vendor import vendor_library

_TARGET = re.compile(r"(?P<cls>.+\.py:\w+|\w+(?:\.\w+)+)(?::(?P<axis>[^:]+))?")


@dataclass(frozen=True, slots=True)
class Target:
    """A class by its dotted path or file, and for a stage the axis.

    Examples
    --------
    >>> Target.parse("microscope.simulators.SimulatedStage:Z")
    Target(cls='microscope.simulators.SimulatedStage', axis='Z')
    >>> Target.parse("lab/stages.py:Lift:z").cls
    'lab/stages.py:Lift'
    """

    cls: str
    axis: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return what the text behind ``microscope:`` names; InputError if that is no class."""
        found = _TARGET.fullmatch(text)
        if found is None:
            raise InputError(
                f"microscope:{text} names no class of python-microscope",
                "write it as microscope:package.module.ClassName, for a stage with :AXIS behind",
            )
        return cls(found["cls"], found["axis"] or "")

    @property
    def own_id(self) -> str:
        """The class as `own` writes it."""
        if ".py:" in self.cls:
            return self.cls
        module, _, name = self.cls.rpartition(".")
        return f"{module}:{name}"

    def make(self, kind: str, arguments: Mapping[str, Any], part: str = "") -> tuple[Any, Any]:
        """Return the device, not yet enabled, and what is to be shut down in the end.

        Both are what the class makes of the arguments; or, if that is a controller, the device is
        a part of it.

        Parameters
        ----------
        kind : str
            The class in ``microscope.abc`` that it must be of.
        arguments : mapping
            A mapping of names to pairs of numbers becomes one to ``AxisLimits``.
        part : str
            Of a controller, the name of its device.

        Raises
        ------
        InputError
            There is no such class, or it is not of the kind.
        DeviceError
            It cannot be made; with the words of its library.
        """
        library = vendor_library("microscope")
        classes = vendor_library("microscope.abc")
        wanted = getattr(classes, kind)
        found = own.own_class(self.own_id)
        if not issubclass(found, wanted | classes.Controller):
            raise InputError(f"{self.cls} is no {kind.lower()} of python-microscope", "use another")
        given = {name: _argument(value, library.AxisLimits) for name, value in arguments.items()}
        try:
            made = found(**given)
            parts = dict(made.devices) if issubclass(found, classes.Controller) else {part: made}
        except BeadscopeError:
            raise
        except Exception as error:
            raise failure(self.cls, "cannot be opened", error) from error
        device = parts.get(part)
        if not isinstance(device, wanted):
            known = [name for name, one in parts.items() if isinstance(one, wanted)]
            made.shutdown()
            raise InputError(
                f"{self.cls} is a controller without a {kind.lower()} named {part!r}",
                f"its option part may be {' or '.join(known) or 'nothing: it has none'}",
            )
        return device, made


def _argument(value: Any, limits: type) -> Any:
    if not isinstance(value, Mapping) or not value:
        return value
    pairs = [one for one in value.values() if isinstance(one, list | tuple) and len(one) == 2]
    if len(pairs) < len(value):
        return value
    return {name: limits(*map(float, pair)) for name, pair in value.items()}


def failure(label: str, what: str, error: Exception) -> DeviceError:
    """Return what a library raised as one sentence."""
    words = str(error).strip().rstrip(".") or type(error).__name__
    return DeviceError(
        f"{label} {what} ({type(error).__name__}: {words})",
        "check its cable, its power and its options",
    )


def absolute_argument(text: str) -> str:
    """Return the argument of an ID with the whole path of its file, if it has one."""
    target = Target.parse(text)
    if ".py:" not in target.cls:
        return text
    return ":".join([own.absolute_id(target.cls), *([target.axis] if target.axis else [])])
