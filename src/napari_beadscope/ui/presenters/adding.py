"""What a new motor or sensor can be: kinds, those that are connected, classes of one's own.

Owns what the form for it shows. Must not know Qt, and runs no code of a user's own: a class's
options are read from its source.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.ui.presenters.fields import Field, label_of
from napari_beadscope.ui.session import Session

OWN = "own"
_KINDS = {"integer": "int", "number": "float", "boolean": "bool", "string": "text"}
_TYPES = {"int": "int", "float": "float", "bool": "bool", "str": "text"}
_MOST = 1e6


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the list: `motor` is its ID, `example` how to write it if that lacks a part."""

    motor: str
    label: str
    usual_name: str = ""
    why_not: str = ""
    example: str = ""


class AddingPresenter:
    """What can be added.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: tuple[Kind, ...] = ()
        self._classes: dict[str, tuple[Field, ...]] = {}

    def kinds(self) -> tuple[Kind, ...]:
        """Return what can be chosen: kinds, devices that were found, a class of one's own."""
        from napari_beadscope.devices import list_motors

        known = []
        for one in list_motors():
            prefix, colon, _ = one.id.partition(":")
            motor = prefix + colon
            example = one.id if colon else ""
            known.append(Kind(motor, one.label, one.usual_name, one.why_not, example))
        own = Kind(OWN, "A class of your own", example="path/to/file.py:ClassName")
        usable = sorted(known, key=lambda kind: bool(kind.why_not))
        return (*self._found, *usable, own)

    def search(self, done: Any) -> None:
        """Look for motors that are connected, and call `done` with how many there are."""
        from napari_beadscope.devices import find_motors

        def found(infos: Any) -> None:
            plain = {kind.motor for kind in self.kinds()} - {kind.motor for kind in self._found}
            self._found = tuple(
                Kind(one.id, one.label, one.usual_name)
                for one in infos
                if one.available and one.id not in plain
            )
            done(len(self._found))

        self._session.run("Looking for motors", find_motors, found)

    def classes_of(self, path: str) -> tuple[str, ...]:
        """Return the IDs of the classes in a file; what is wrong with the file is told."""
        try:
            found = own_classes(Path(path))
        except InputError as error:
            self._session.fail(error)
            return ()
        self._classes.update(found)
        return tuple(found)

    def fields(self, motor: str) -> tuple[Field, ...]:
        """Return the options of a motor with their defaults, () if they are not known."""
        from napari_beadscope.devices import motor_options

        if motor in self._classes:
            return self._classes[motor]
        kinds = {kind.motor for kind in self.kinds() if not kind.why_not and not kind.example}
        if motor not in kinds:
            return ()
        try:
            schema = motor_options(motor).model_json_schema().get("properties", {})
        except BeadscopeError:  # told when it is added
            return ()
        return tuple(_field(name, one) for name, one in schema.items())


def own_classes(path: Path) -> dict[str, tuple[Field, ...]]:
    """Return the classes of a Python file by their IDs, with the arguments of each.

    The file is read, not run. Classes whose names begin with ``_`` are left out.

    Raises
    ------
    InputError
        It cannot be read, is not Python, or has no class.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "check the file") from None
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise InputError(f"{path}{line} is not Python ({error.args[0]})", "correct it") from None
    found = {
        f"{path.absolute()}:{node.name}": _arguments(node)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    if not found:
        raise InputError(f"there is no class in {path}", "choose a file with a motor's class")
    return found


def _arguments(cls: ast.ClassDef) -> tuple[Field, ...]:
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            plain = node.args.args[1:]
            defaults = [None] * (len(plain) - len(node.args.defaults)) + list(node.args.defaults)
            pairs = [*zip(plain, defaults), *zip(node.args.kwonlyargs, node.args.kw_defaults)]
            return tuple(_argument(one, default) for one, default in pairs)
    return ()


def _argument(one: ast.arg, default: ast.expr | None) -> Field:
    try:
        value = None if default is None else ast.literal_eval(default)
    except (ValueError, TypeError):
        value = None
    said = _TYPES.get(ast.unparse(one.annotation) if one.annotation is not None else "", "")
    kind = said or _TYPES.get(type(value).__name__, "text")
    empty = {"int": 0, "float": 0.0, "bool": False, "text": ""}[kind]
    needed = "needed" if default is None else "as in the class unless you change it"
    return Field(
        one.arg,
        label_of(one.arg),
        kind,
        empty if value is None else value,
        minimum=-_MOST,
        maximum=_MOST,
        tip=f"{one.arg}: {needed}",
    )


def _field(name: str, schema: dict[str, Any]) -> Field:
    description = str(schema.get("description", ""))
    unit = description.rpartition(", ")[2].replace("um", "µm")
    kind = _KINDS.get(str(schema.get("type", "")), "text")
    return Field(
        name=name,
        label=label_of(name),
        kind=kind,
        value=schema.get("default", 0 if kind in ("int", "float") else ""),
        unit="" if "unit" in unit or kind not in ("int", "float") else unit,
        minimum=schema.get("minimum", schema.get("exclusiveMinimum", -_MOST)),
        maximum=schema.get("maximum", _MOST),
        tip=description[:1].upper() + description[1:],
    )
