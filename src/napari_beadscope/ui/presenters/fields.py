"""A value the user can set, described well enough to build an editor for it.

Owns `Field`. Must not know Qt or where the value goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One editable value.

    ``kind`` is 'int', 'float', 'choice', 'bool', 'text' or 'path'.
    """

    name: str
    label: str
    kind: str
    value: Any
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 1e6
    choices: tuple[Any, ...] = ()
    tip: str = ""


_TIPS = {
    "exposure_ms": "How long the camera collects light for a frame",
    "fps": "Frames per second",
    "gain": "Brightness of the same light, with its noise",
    "binning": "2 averages 2 × 2 px of the sensor into one px of the frame; beads follow, "
    "the pixel size too, a Z-LUT must be measured anew",
}


def field_of_property(prop: Mapping[str, Any]) -> Field:
    """Return the field for one entry of `Scope.camera_properties`.

    Examples
    --------
    >>> field_of_property({"name": "exposure_ms", "unit": "ms", "kind": "float",
    ...     "minimum": 0.1, "maximum": 50.0, "choices": (), "value": 5.0}).label
    'Exposure'
    """
    name = prop["name"]
    unit = "fps" if name == "fps" else prop["unit"]
    span = f", {prop['minimum']:g} to {prop['maximum']:g} {unit}" if prop["kind"] == "float" else ""
    return Field(
        name=name,
        label=label_of(name, unit),
        kind=prop["kind"],
        value=prop["value"],
        unit=unit,
        minimum=prop["minimum"],
        maximum=prop["maximum"],
        choices=tuple(prop["choices"]),
        tip=f"{_TIPS.get(name, name)}{span}",
    )


def label_of(name: str, unit: str = "") -> str:
    """Return a name for people: without its unit, with a capital.

    Examples
    --------
    >>> label_of("exposure_ms", "ms"), label_of("fps"), label_of("width_px", "px")
    ('Exposure', 'Frame rate', 'Width')
    """
    if name == "fps":
        return "Frame rate"
    if unit and name.endswith(f"_{unit}"):
        name = name.removesuffix(f"_{unit}")
    name = name.replace("_", " ")
    return name[:1].upper() + name[1:]
