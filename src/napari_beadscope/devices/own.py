"""Cameras, motors and sensors of a user's own: a class in a file, or in an installed package.

Owns finding the class by its ID, ``path/to/file.py:ClassName`` or ``package.module:ClassName``,
and its options, which are the arguments of its ``__init__``. Must not know any device.
"""

from __future__ import annotations

import inspect
import re
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.own_code import own_module, words_of_own

_WITH = ("__enter__", "__exit__")
_SIMPLE: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_OWN = re.compile(r"(?P<file>.+\.py):(?P<name>\w+)|(?P<module>\w+(\.\w+)+):(?P<cls>[A-Za-z_]\w*)")


def is_own(device_id: str) -> bool:
    """Return whether an ID names a class of a user's own rather than a kind in the registry.

    Examples
    --------
    >>> is_own("stages/my_motor.py:MyMotor"), is_own("my_lab.motors:Lift"), is_own("simulated")
    (True, True, False)
    """
    return _OWN.fullmatch(device_id) is not None


def absolute_id(device_id: str) -> str:
    """Return an ID that means the same from every folder: files by their whole path."""
    found = _OWN.fullmatch(device_id)
    if found is None or not found["file"]:
        return device_id
    return f"{Path(found['file']).expanduser().absolute()}:{found['name']}"


def own_class(device_id: str) -> type:
    """Return the class that an ID names; its file is run, or its module imported.

    Raises
    ------
    InputError
        There is no such file, module or class, or its code raises; with the line.
    """
    found = _OWN.fullmatch(device_id)
    if found is None:
        raise InputError(f"{device_id!r} names no class", "write it as path/to/file.py:ClassName")
    where = found["file"] or found["module"]
    module = own_module(Path(where), again=True) if found["file"] else _module(where)
    name = found["name"] or found["cls"]
    one = getattr(module, name, None)
    if not isinstance(one, type):
        known = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        raise InputError(
            f"there is no class {name} in {where}", f"it has {', '.join(known) or 'none at all'}"
        )
    return one


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:  # somebody else's code
        raise InputError(
            f"the module {name} cannot be imported ({words_of_own(error)})",
            "correct its name, or it",
        ) from error


def own_options(device_id: str) -> type[BaseModel]:
    """Return a pydantic model of what the class's ``__init__`` takes."""
    return _options_of(own_class(device_id))


def _options_of(cls: type) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    hints = inspect.get_annotations(vars(cls).get("__init__", cls))
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(name)
        kind = _SIMPLE.get(str(getattr(hint, "__name__", hint)), Any)
        fields[name] = (kind, ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", protected_namespaces=())
    with warnings.catch_warnings(action="ignore"):  # names that pydantic would rather not see
        return create_model(f"{cls.__name__}Options", __config__=config, **fields)


def open_own(device_id: str, options: dict[str, Any], wanted: tuple[type, ...]) -> Any:
    """Return an object of the class, made from the options, not yet opened.

    Parameters
    ----------
    device_id : str
        Which class.
    options : dict
        Arguments of its ``__init__``.
    wanted : tuple of Protocols
        What it must be one of.

    Raises
    ------
    InputError
        An option does not exist, or is not of the type that the class says; its ``__init__``
        raises; or what it makes lacks a method.
    """
    cls = own_class(device_id)
    try:
        checked = _options_of(cls).model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(inspect.signature(cls).parameters) or "none"
        raise InputError(
            f"option {where} of {cls.__name__} is wrong: {first['msg'].lower()}",
            f"options are {known}",
        ) from error
    try:
        device = cls(**{name: getattr(checked, name) for name in checked.model_fields_set})
    except BeadscopeError:
        raise
    except (Exception, SystemExit) as error:  # somebody else's code
        raise InputError(
            f"{cls.__name__} cannot be made ({words_of_own(error)})", f"correct {device_id}"
        ) from error
    lacking = min((_lacking(device, protocol) for protocol in wanted), key=len)
    if lacking:
        raise InputError(
            f"{cls.__name__} is no {' or '.join(one.__name__.lower() for one in wanted)}:"
            f" it lacks {', '.join(lacking)}",
            f"add that to {device_id}, or derive it from MotorBase or SensorBase",
        )
    return device


def _lacking(device: object, protocol: type) -> list[str]:
    """Return what of a Protocol it does not have, without asking its properties for values."""
    names = {*vars(protocol), *getattr(protocol, "__annotations__", {})}
    here = object()
    return sorted(
        name
        for name in names
        if name in _WITH or not name.startswith("_")
        if inspect.getattr_static(device, name, here) is here
    )
