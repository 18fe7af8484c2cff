"""Settings as one types them: text for an editor, and back.

Owns both ways. Must not know Qt.
"""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

from napari_beadscope.core.settings import Settings


def kind_of(name: str) -> Any:
    """Return the type of a setting by its dotted name."""
    section, _, field = name.partition(".")
    model: Any = Settings.model_fields[section].annotation
    return model.model_fields[field].annotation


def choices_of(name: str) -> tuple[str, ...]:
    """Return what a setting can be, () where it is free."""
    kind = kind_of(name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(one.value for one in kind)
    if typing.get_origin(kind) is typing.Literal:
        return tuple(typing.get_args(kind))
    return ()


def shape_of(kind: Any, choices: tuple[str, ...]) -> str:
    """Return which editor suits a type: 'bool', 'choice' or 'text'."""
    if kind is bool:
        return "bool"
    return "choice" if choices else "text"


def text_of(value: Any) -> str:
    """Return a value as one types it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and "id" in value:  # a motor
        options = text_of(value.get("options", {}))
        return f"{value['id']} ({options})" if options else str(value["id"])
    if isinstance(value, dict):
        return ", ".join(f"{name}: {text_of(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " ".join(text_of(one) for one in value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return "" if value is None else str(value)


def value_of(kind: Any, text: str) -> Any:
    """Return what was typed as the setting's type, or as it is if it cannot be that."""
    text = text.strip()
    if kind is bool:
        return text == "true"
    if typing.get_origin(kind) is dict:
        parts = [part.partition(":") for part in text.split(",") if part.strip()]
        return {name.strip(): option_of(value) for name, _, value in parts}
    if isinstance(kind, types.UnionType) and not text:
        return None
    if kind is int or kind is float or isinstance(kind, types.UnionType):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            return text
    return text


def option_of(text: str) -> Any:
    """Return what was typed as a number or true or false, else as it is."""
    word = text.strip()
    if word in ("true", "false"):
        return word == "true"
    return value_of(float, word)
