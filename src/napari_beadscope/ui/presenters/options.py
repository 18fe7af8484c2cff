"""Fields for the options of a camera, read off the model that checks them.

Owns which options are worth a place in the dock. Must not know Qt; ranges and defaults are
those of the device's own model, so they cannot disagree.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from napari_beadscope.ui.presenters.fields import Field, label_of

_MODELS = {
    "simulated": (
        "napari_beadscope.devices.simulated.options:SimulatedOptions",
        ("width_px", "height_px", "dtype", "fps", "beads", "seed"),
    ),
    "replay": (
        "napari_beadscope.devices.replay.camera:ReplayOptions",
        ("loop",),
    ),
}
_UNITS = {"px": "px", "ms": "ms", "nm": "nm"}


def option_fields(kind: str) -> tuple[Field, ...]:
    """Return the fields of one kind of camera with their defaults.

    Examples
    --------
    >>> [field.name for field in option_fields("simulated")][:2]
    ['width_px', 'height_px']
    """
    if kind not in _MODELS:
        return ()
    target, names = _MODELS[kind]
    module, name = target.split(":")
    schema = getattr(import_module(module), name).model_json_schema()["properties"]
    return tuple(_field(one, schema[one]) for one in names)


def _field(name: str, schema: dict[str, Any]) -> Field:
    kinds = {"integer": "int", "number": "float", "boolean": "bool"}
    unit = "fps" if name == "fps" else _UNITS.get(name.rpartition("_")[2], "")
    description = str(schema.get("description", ""))
    return Field(
        name=name,
        label="Pixel type" if name == "dtype" else label_of(name, unit),
        kind="choice" if "enum" in schema else kinds.get(str(schema.get("type")), "text"),
        value=schema["default"],
        unit=unit,
        minimum=schema.get("minimum", schema.get("exclusiveMinimum", 0)),
        maximum=schema.get("maximum", 2**31 - 1),
        choices=tuple(schema.get("enum", ())),
        tip=description[:1].upper() + description[1:],
    )
