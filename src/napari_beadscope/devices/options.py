"""Options of devices as people give them, checked against their model.

Owns the sentence for an option that is wrong. Must not know any device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_beadscope.core.errors import InputError

_Options = TypeVar("_Options", bound=BaseModel)


def checked_options(model: type[_Options], options: Mapping[str, Any], label: str) -> _Options:
    """Return checked options.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        What the options may be.
    options : Mapping of str to object
        As somebody gave them.
    label : str
        Whose they are, as in "the stage X".

    Raises
    ------
    InputError
        An option is wrong: the first that is, with what is allowed.
    """
    try:
        return model.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"option {where} of {label} is {first['input']!r}",
            f"{first['msg']}; options are {', '.join(model.model_fields)}",
        ) from error
