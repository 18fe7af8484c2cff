"""Recipes from files: which texts are recipes, and one sentence for each mistake in them.

Must not know the microscope.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.script.checking import Mistake, mistakes_error
from napari_beadscope.script.recipes.beforehand import mistakes_beforehand
from napari_beadscope.script.recipes.models import KINDS, Recipe
from napari_beadscope.storage.yaml_file import YamlFile, read_yaml

_FIRST = re.compile(r"\s*(#.*\s+)*recipe\s*:")
#: What pydantic says of the branch of a union that was not meant.
_OTHER_BRANCH = {("list_type", dict), ("model_type", list), ("model_attributes_type", list)}
_LINE = re.compile(r"line (\d+):? ?")


def is_recipe(text: str, path: Path | None = None) -> bool:
    r"""Return whether a text is a recipe: by its file's name, or because it begins with one.

    Examples
    --------
    >>> is_recipe("# pulls\nrecipe: force-ramp\n"), is_recipe("print('recipe: none')")
    (True, False)
    """
    if path is not None and path.suffix.lower() in (".yaml", ".yml"):
        return True
    return _FIRST.match(text) is not None


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a file.

    Raises
    ------
    ScriptMistake
        It is none: names every mistake with its line.
    """
    recipe, mistakes = _read(path)
    if recipe is None:
        raise mistakes_error(mistakes, path.name)
    return recipe


def recipe_mistakes(path: Path) -> tuple[Mistake, ...]:
    """Return all mistakes in the recipe of a file, in the order of its lines."""
    return _read(path)[1]


def _read(path: Path) -> tuple[Recipe | None, tuple[Mistake, ...]]:
    try:
        file = read_yaml(path, "a recipe")
    except SettingsError as error:
        found = re.search(r" line (\d+) is not valid YAML \((.*)\)$", error.what)
        line = int(found[1]) if found else 0
        what = f"is not YAML ({found[2]})" if found else error.what.replace(f"{path} ", "")
        return None, (Mistake(line, what, "mend it" if found else "begin with 'recipe: KIND'"),)
    mistakes = [_again(error) for error in file.twice]
    kind = file.data.get("recipe")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        names = ", ".join(KINDS)
        what = "'recipe' is missing" if kind is None else f"there is no recipe {_shown(kind)}"
        return None, (Mistake(file.line_of(("recipe",)), what, f"choose {names}"),)
    valid: Recipe | None = None
    try:
        valid = model.model_validate(file.data)
    except ValidationError as error:
        mistakes += _mistakes(error, model, file)
    if valid is not None:
        mistakes += mistakes_beforehand(valid, file)
    found_all = tuple(sorted(mistakes, key=lambda one: one.line))
    return (None if found_all else valid), found_all


def _again(error: SettingsError) -> Mistake:
    line = _LINE.match(error.what)
    return Mistake(int(line[1]) if line else 0, _LINE.sub("", error.what, count=1), error.remedy)


def _mistakes(error: ValidationError, model: type[Recipe], file: YamlFile) -> list[Mistake]:
    found: dict[tuple[Any, ...], Mistake] = {}
    for one in error.errors():
        if (one["type"], type(one["input"])) in _OTHER_BRANCH:
            continue
        place = tuple(part for part in one["loc"] if not _is_branch(part))
        if one["type"] == "value_error":  # a rule of ours: 'field|what'
            name, _, what = str(one["ctx"]["error"]).partition("|")
            place = (name,)
            mistake = (f"'{name}': {what}", _meaning(model, place))
        elif one["type"] == "extra_forbidden":
            mistake = _unknown(place, model)
        elif one["type"] == "missing":
            mistake = (f"'{_dotted(place)}' is missing", f"it is {_meaning(model, place)}")
        else:
            what = f"'{_dotted(place)}' cannot be {_shown(one['input'])}"
            mistake = (what, f"it is {_meaning(model, place)}")
        found.setdefault(place[:2], Mistake(file.line_of(place), *mistake))
    return list(found.values())


def _is_branch(part: int | str) -> bool:
    """Return whether a step only names what a value could have been."""
    return isinstance(part, str) and (
        part in ("bool", "int", "float", "str", "Steps", "[key]")
        or part.startswith(("list[", "literal[", "constrained"))
    )


def _unknown(place: tuple[int | str, ...], model: type[Recipe]) -> tuple[str, str]:
    owner: Any = _field(model, place[:-1])
    fields = getattr(owner, "model_fields", model.model_fields)
    near = difflib.get_close_matches(str(place[-1]), list(fields), 1)
    names = ", ".join(fields)
    kind = next(name for name, one in KINDS.items() if one is model)
    where = f"a {kind}" if len(place) == 1 else f"'{_dotted(place[:-1])}'"
    remedy = f"did you mean {near[0]!r}?" if near else f"it knows {names}"
    return f"{where} has no '{place[-1]}'", remedy


def _field(model: Any, place: tuple[int | str, ...]) -> Any:
    """Return the model at a place, None if there is none."""
    for part in place:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return None
        kinds = getattr(field.annotation, "__args__", (field.annotation,))
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return model


def _meaning(model: type[Recipe], place: tuple[int | str, ...]) -> str:
    """Return what the field at a place is, in words."""
    words = "what the kind of recipe needs"
    owner: Any = model
    for part in place:
        field = getattr(owner, "model_fields", {}).get(part)
        if field is None:
            break
        words = field.description or words
        owner = _field(owner, (part,))
    return words


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in place)


def _shown(value: Any) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value)
