"""`beadscope cameras`, `beadscope motors` and `beadscope info`: what there is on this machine.

Must not start or change anything.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from napari_beadscope import __version__
from napari_beadscope.cli.engines import engine_rows, engines_data
from napari_beadscope.cli.output import Output, table
from napari_beadscope.core.errors import BeadscopeError, InputError

if TYPE_CHECKING:
    from napari_beadscope.devices import DeviceInfo

_PACKAGES = (
    "numpy", "numba", "magtrack", "cupy-cuda12x", "tifffile", "av", "napari", "PyQt6", "PySide6",
)  # fmt: skip


def cameras(output: Output) -> None:
    """Look for cameras and print those there are, and each kind of which there is none."""
    from napari_beadscope.devices import find_cameras

    _devices("cameras", find_cameras(), output)


def motors(output: Output) -> None:
    """Look for motors and sensors and print those there are, and what is lacking."""
    from napari_beadscope.devices import find_motors

    _devices("motors", find_motors(), output)


def _devices(noun: str, found: tuple[DeviceInfo, ...], output: Output) -> None:
    data = [
        {"id": one.id, "label": one.label, "available": one.available, "why_not": one.why_not}
        for one in found
    ]
    rows = [
        (one.id, one.label if one.available else f"{one.label}: not here, {one.why_not}")
        for one in found
    ]
    output.result({noun: data}, table(rows))


def info(output: Output) -> None:
    """Print versions, backends, folders, engines and the commands that engines understand."""
    from napari_beadscope.core.commands import command_names
    from napari_beadscope.engine.places import log_folder
    from napari_beadscope.storage.settings_file import load_settings, settings_path
    from napari_beadscope.tracking import METHODS, list_backends
    from napari_beadscope.wire import runtime_folder

    load_settings()  # a bad settings file is said here, rather than when recording
    versions: dict[str, str | None] = {
        "napari-beadscope": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }
    backends = [
        {
            "name": one.name,
            "label": one.label,
            "available": one.available,
            "why_not": one.why_not,
            "methods": list(one.methods),
        }
        for one in list_backends()
    ]
    auto = {method: _auto(method) for method in METHODS}
    settings = settings_path()
    folders = {
        "settings": str(settings),
        "settings_exist": settings.exists(),
        "config": str(settings.parent),
        "runtime": str(runtime_folder()),
        "logs": str(log_folder()),
    }
    data = {
        "versions": versions,
        "system": platform.platform(),
        "backends": backends,
        "auto": auto,
        "folders": folders,
        "engines": engines_data(),
        "commands": list(command_names()),
    }
    lines = ["Versions"]
    lines += _indented([(name, text or "not installed") for name, text in versions.items()])
    lines.append("Tracking backends")
    lines += _indented(
        [
            (str(one["name"]), f"{one['label']}{'' if one['available'] else ': not here'}")
            + ((str(one["why_not"]),) if one["why_not"] else ("",))
            for one in backends
        ]
    )
    lines += _indented([(f"auto, {method}", f"takes {said}") for method, said in auto.items()])
    lines.append("Folders")
    there = "" if folders["settings_exist"] else " (not there: defaults apply)"
    lines += _indented(
        [
            ("settings", f"{folders['settings']}{there}"),
            ("runtime", str(folders["runtime"])),
            ("logs", str(folders["logs"])),
        ]
    )
    lines.append("Running engines")
    lines += _indented(engine_rows() or [("none",)])
    lines.append("Commands that engines understand")
    lines.append("  " + ", ".join(command_names()))
    output.result(data, lines)


def _auto(method: str) -> str:
    """Return what "auto" comes down to here, and why."""
    from napari_beadscope.tracking.choice import choose_backend

    try:
        choice = choose_backend("auto", method=method)
    except BeadscopeError as error:
        return f"nothing: {error}"
    threads = f"{choice.threads} thread{'s' if choice.threads > 1 else ''}"
    return f"{choice.name}: {choice.why}; {threads}, {choice.batch_rois} ROIs at a time"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _indented(rows: list[tuple[str, ...]]) -> list[str]:
    return [f"  {line}" for line in table(rows)]


def commands(name: str | None, output: Output) -> None:
    """Print every command with its owner, and what scripts use; or one of them in full.

    Raises
    ------
    InputError
        There is no such command, nor anything of `Scope` by that name.
    """
    from dataclasses import asdict

    from napari_beadscope.script.catalogue import commands as all_commands
    from napari_beadscope.script.catalogue import methods

    found = [one for one in all_commands() if name is None or one.name.lower() == name.lower()]
    if name is not None and not found:
        _method(name, output)
        return
    used = [one for one in methods() if name is None or found[0].name in one.commands]
    data = {
        "commands": [asdict(one) | {"summary": one.summary} for one in found],
        "methods": [asdict(one) for one in used],
    }
    if name is not None:
        lines = [f"{found[0].name} ({found[0].owner})", "", *found[0].doc.splitlines()]
        lines += ["", "Fields"] if found[0].fields else []
        lines += _indented(
            [(f, kind, f"= {value}" if value else "") for f, kind, value in found[0].fields]
        )
    else:
        lines = ["Commands, who carries them out, and what of Scope sends them"]
        sent = [(one, ", ".join(one.methods) or "-") for one in found]
        lines += _indented([(one.name, one.owner, by, one.summary) for one, by in sent])
    lines += ["", "What scripts use: scope."] if used else ["", "Scripts cannot send it."]
    lines += [f"  {one.name}{one.signature}\n      {one.summary}" for one in used]
    output.result(data, lines)


def _method(name: str, output: Output) -> None:
    """Print what of `Scope` has this name: how it is called, and what it does."""
    import difflib
    import inspect
    from dataclasses import asdict

    from napari_beadscope.core.commands import command_names
    from napari_beadscope.script import Scope
    from napari_beadscope.script.catalogue import methods

    there = {one.name: one for one in methods()}
    one = there.get(name.lower().removeprefix("scope."))
    if one is None:
        names = {known.lower(): known for known in (*command_names(), *there)}
        near = [names[key] for key in difflib.get_close_matches(name.lower(), names)]
        remedy = f"did you mean {' or '.join(near)}?" if near else "see `beadscope commands`"
        raise InputError(f"there is no command {name!r}", remedy)
    paragraph = (inspect.getdoc(getattr(Scope, one.name)) or "").partition("\n\n")[0]
    lines = [f"scope.{one.name}{one.signature}", "", *paragraph.splitlines()]
    lines += ["", f"It sends {', '.join(one.commands)}."] if one.commands else []
    output.result({"commands": [], "methods": [asdict(one)]}, lines)
