"""A value the user can set, described well enough to build an editor for it.

Owns `Field`. Must not know Qt or where the value goes.
"""

from __future__ import annotations

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


def field_of_property(prop: Any) -> Field:
    """Return the field for a camera's `Property`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> field_of_property(SimpleNamespace(name="exposure_ms", unit="ms", kind="float",
    ...     minimum=0.1, maximum=50.0, choices=(), value=5.0)).label
    'Exposure'
    """
    kind = str(prop.kind)
    if prop.choices:
        kind = "choice"
    elif kind not in {"int", "float", "bool"}:
        kind = "float" if isinstance(prop.value, (int, float)) else "text"
    return Field(
        name=prop.name,
        label=label_of(prop.name, prop.unit),
        kind=kind,
        value=prop.value,
        unit=prop.unit,
        minimum=0.0 if prop.minimum is None else prop.minimum,
        maximum=1e6 if prop.maximum is None else prop.maximum,
        choices=tuple(prop.choices or ()),
        tip=f"{prop.name}, {prop.minimum} to {prop.maximum} {prop.unit}".strip(),
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
