"""What there is to ask for: every command with its owner, and the methods of `Scope` that send it.

Read off the code itself, so that the list cannot be out of date; nothing is started. Must not
know how the list is shown.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, get_args

import msgspec

from napari_beadscope.core.commands import Command
from napari_beadscope.core.owners import owner_of


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command: who carries it out, what it says, and what of `Scope` sends it.

    ``fields`` are (name, type, default) in words; '' is no default. ``methods`` is empty for a
    command that scripts cannot send.
    """

    name: str
    owner: str
    doc: str
    fields: tuple[tuple[str, str, str], ...]
    methods: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first sentence of what it does."""
        return self.doc.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """Something of `Scope` that scripts use; ``signature`` is '' for a property."""

    name: str
    signature: str
    summary: str
    commands: tuple[str, ...]


def commands() -> tuple[CommandInfo, ...]:
    """Return all commands, in the order in which they are declared.

    Examples
    --------
    >>> {info.name: info.methods for info in commands()}["StopMotor"]
    ('stop_motor',)
    """
    senders: dict[str, list[str]] = {}
    for method in methods():
        for command in method.commands:
            senders.setdefault(command, []).append(method.name)
    return tuple(
        CommandInfo(
            kind.__name__,
            owner_of(kind),
            inspect.cleandoc(kind.__doc__ or ""),
            tuple(_fields(kind)),
            tuple(senders.get(kind.__name__, ())),
        )
        for kind in get_args(Command)
    )


def methods() -> tuple[MethodInfo, ...]:
    """Return the public methods and properties of `Scope`, by name.

    Examples
    --------
    >>> found = {method.name: method for method in methods()}
    >>> found["sleep"].signature
    '(seconds: float) -> None'
    """
    from napari_beadscope.script.scope import Scope

    names = {kind.__name__ for kind in get_args(Command)}
    found = []
    for name in dir(Scope):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(Scope, name)
        function = _function(member)
        if function is None:
            continue
        signature = "" if isinstance(member, property) else _signature(getattr(Scope, name))
        summary = inspect.cleandoc(function.__doc__ or "").partition("\n")[0]
        sent = sorted(_sent(Scope, function, names, {name}))
        found.append(MethodInfo(name, signature, summary, tuple(sent)))
    return tuple(found)


def _function(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    if isinstance(member, (classmethod, staticmethod)):
        return member.__func__
    return inspect.unwrap(member) if inspect.isfunction(member) else None


def _signature(bound: Any) -> str:
    parts = []
    by_name = False
    signature = inspect.signature(bound)
    for one in signature.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and not by_name:
            parts.append("*")
        by_name = by_name or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        stars = "**" if one.kind is one.VAR_KEYWORD else "*" * (one.kind is one.VAR_POSITIONAL)
        parts.append(f"{stars}{one.name}: {one.annotation}{_default(one.default)}")
    return f"({', '.join(parts)}) -> {signature.return_annotation}"


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return ""
    return " = ..." if type(value) is object else f" = {value!r}"


def _sent(kind: type, function: Any, names: set[str], seen: set[str]) -> set[str]:
    """Return the commands that a method makes, itself or in what it calls of its own."""
    used = set(_names(function.__code__))
    sent = used & names
    for other in used - seen:
        helper = _function(inspect.getattr_static(kind, other, None))
        if helper is not None and (other.startswith("_") or helper.__doc__ is None):
            seen.add(other)
            sent |= _sent(kind, helper, names, seen)
    return sent


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    notes = inspect.get_annotations(kind)
    for field in msgspec.structs.fields(kind):
        default = ""
        if field.default is not msgspec.NODEFAULT:
            default = repr(field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            default = repr(field.default_factory())
        yield field.name, str(notes.get(field.name, field.type)), default
