"""What can be told of a recipe's microscope and names before anything is connected or started.

Owns the options of the camera and motors that a recipe names, where its motor can go, and the
name of its recordings. What only the hardware knows is left to the run.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.script.checking import Mistake, set_at_birth
from napari_beadscope.script.configure import check_recording_name
from napari_beadscope.script.recipes.models import ForceRamp, MagnetRecipe, Microscope, Recipe
from napari_beadscope.storage.yaml_file import YamlFile

_MOST_SHOWN = 20
_Place = tuple[str, ...]


def mistakes_beforehand(recipe: Recipe, file: YamlFile) -> list[Mistake]:
    """Return the mistakes in a recipe whose fields are all right by themselves."""
    found: list[Mistake] = []
    try:
        check_recording_name(recipe.name)
    except InputError as error:
        found.append(Mistake(file.line_of(("name",)), error.what, error.remedy))
    if recipe.microscope is not None:
        found += _of_microscope(recipe.microscope, file)
        if isinstance(recipe, MagnetRecipe):
            found += _out_of_reach(recipe, recipe.microscope, file)
    return found


def _of_microscope(own: Microscope, file: YamlFile) -> Iterator[Mistake]:
    from napari_beadscope.devices import camera_options, motor_options

    yield from _of_device(own.camera, own.options, camera_options, ("microscope",), "camera", file)
    for name, motor in own.motors.items():
        place = ("microscope", "motors", name)
        yield from _of_device(motor.id, motor.options, motor_options, place, "id", file)


def _of_device(
    device_id: str,
    options: Mapping[str, Any],
    model_of: Callable[[str], Any],
    place: _Place,
    key: str,
    file: YamlFile,
) -> Iterator[Mistake]:
    if _is_elsewhere(device_id):
        return
    try:
        model = model_of(device_id)
    except DeviceError:  # it is not for this computer
        return
    except InputError as error:
        yield Mistake(file.line_of((*place, key)), error.what, error.remedy)
        return
    try:
        if model is not None:
            model.model_validate(dict(options))
    except ValidationError as error:
        for one in error.errors():
            yield _of_option(one, model, (*place, "options"), file)


def _is_elsewhere(device_id: str) -> bool:
    """Return whether it is a class in a file that is not there, seen from this folder."""
    from pathlib import Path

    from napari_beadscope.devices.own import is_own

    path = device_id.rpartition(":")[0]
    return is_own(device_id) and path.endswith(".py") and not Path(path).expanduser().exists()


def _of_option(one: Any, model: Any, place: _Place, file: YamlFile) -> Mistake:
    where = ".".join(place)
    name = ".".join(str(part) for part in one["loc"])
    line = file.line_of((*place, *one["loc"]))
    known = ", ".join(model.model_fields) or "none"
    if one["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, list(model.model_fields), 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"it knows {known}"
        return Mistake(line, f"'{where}' has no '{name}'", remedy)
    if one["type"] == "missing":
        return Mistake(line, f"'{where}.{name}' is missing", f"options are {known}")
    message = one["msg"].removeprefix("Value error, ")
    if not name:
        return Mistake(line, f"'{where}' clash", message)
    return Mistake(line, f"'{where}.{name}' cannot be {one['input']!r}", message)


def _out_of_reach(recipe: MagnetRecipe, own: Microscope, file: YamlFile) -> Iterator[Mistake]:
    motor = own.motors.get(recipe.motor)
    limits = None if motor is None else _limits(motor.id, motor.options)
    if limits is None:
        return
    low, high = limits
    wrong = [f"{t:g}" for t in dict.fromkeys(recipe.targets) if not low <= t <= high]
    if wrong:
        more = f" and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        field = "positions" if isinstance(recipe, ForceRamp) else "forces_pn"
        yield Mistake(
            file.line_of((field,)),
            f"'{field}': the {recipe.motor} motor cannot go to "
            f"{', '.join(wrong[:_MOST_SHOWN])}{more}",
            f"stay within {low:g} to {high:g}",
        )


def _limits(motor_id: str, options: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return where a motor can go if that is known without connecting to it, else None."""
    from napari_beadscope.devices import motor_options
    from napari_beadscope.devices.own import is_own, own_class

    if _is_elsewhere(motor_id):
        return None
    try:
        if is_own(motor_id):
            kind = own_class(motor_id)
            given = None if "limits" in set_at_birth(kind) else getattr(kind, "limits", None)
            low, high = given if isinstance(given, tuple) and len(given) == 2 else (0.0, 0.0)
        else:
            known = motor_options(motor_id).model_validate(dict(options))
            low, high = getattr(known, "low", 0.0), getattr(known, "high", 0.0)
    except (DeviceError, InputError, ValidationError):  # said elsewhere
        return None
    return (float(low), float(high)) if low < high else None
