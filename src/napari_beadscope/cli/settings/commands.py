"""What `beadscope settings show | set | check | import | export` do.

Must not know how the options are written on the command line.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output, table
from napari_beadscope.core.errors import InputError, SettingsError
from napari_beadscope.core.settings import Settings, describe
from napari_beadscope.devices import absolute_id
from napari_beadscope.storage.profiles import load_profile, save_profile
from napari_beadscope.storage.settings_file import (
    OWN,
    checked_changes,
    load_layers,
    load_settings,
    microscope_path,
    save_settings,
    settings_path,
)
from napari_beadscope.storage.yaml_file import read_yaml

_REFUSED = 2


def show(words: tuple[str, ...], camera: str | None, changed: bool, output: Output) -> None:
    """Print settings whose names have one of the words."""
    layers = load_layers(_microscope(camera))
    settings, default = layers.settings, Settings()
    rows, data = [], []
    for info in describe():
        value = settings.get(info.name)
        fits = not words or any(word in info.name for word in words)
        if not fits or (changed and value == default.get(info.name)):
            continue
        source = layers.source_of(info.name)
        data.append(
            {
                "name": info.name,
                "value": value,
                "unit": info.unit,
                "default": info.default,
                "allowed": info.range,
                "from": source,
                "meaning": info.description,
            }
        )
        rows.append((info.name, f"{text_of(value)} {info.unit}".strip(), source, info.description))
    if words and not data:
        raise InputError(f"no setting has {' or '.join(words)} in its name", "see them all by show")
    lines = [f"Microscope with the camera {layers.camera}", *table(rows)]
    output.result({"camera": layers.camera, "settings": data}, lines)


def set_values(texts: tuple[str, ...], camera: str | None, output: Output) -> None:
    """Change settings and save them."""
    changes = dict(_parsed(text) for text in texts)
    camera = _microscope(camera or changes.get("camera.id"))
    before = load_settings(camera=camera)
    after = before.replace(changes)
    _save(before, after, camera, output, ())


def check(file: Path, output: Output) -> None:
    """Print all mistakes of a file; end with 2 if there are any."""
    try:
        _changes(file, None)
    except SettingsError as error:
        if not file.expanduser().is_file():
            raise  # that is said of the file, not of what is in it
        output.result({"file": file, "mistakes": error.mistakes}, [_told(error, file)])
        raise SystemExit(_REFUSED) from None
    output.result({"file": file, "mistakes": []}, [f"{file} is right"])


def import_file(
    file: Path,
    camera: str | None,
    chip_nm_per_px: float | None,
    profile: str | None,
    dry_run: bool,
    output: Output,
) -> None:
    """Take settings over from a file, and say what was taken over and what was not."""
    changes, notes = _changes(file, chip_nm_per_px)
    if profile is not None:
        after = Settings().replace(changes)
        path = None if dry_run else save_profile(profile, after)
        where = f"profile {profile!r}: {path}" if path else f"for the profile {profile!r}"
        output.result(
            {"profile": profile, "file": path, "changes": changes, "notes": notes},
            [*notes, f"{len(changes)} settings {where}"],
        )
        return
    camera = _microscope(camera or changes.get("camera.id"))
    before = load_settings(camera=camera)
    after = before.replace(changes)
    if dry_run:
        changed = before.differences(after)
        output.result({"changes": changed, "notes": notes}, [*notes, *_listed(before, changed)])
        return
    kept = ""
    if before != after and before != Settings():
        kept = f"before import {datetime.now().astimezone():%Y-%m-%d %H.%M.%S}"
        save_profile(kept, before)
        notes = (*notes, f"The settings before are the profile {kept!r}")
    _save(before, after, camera, output, notes, kept)


def export(
    file: Path, camera: str | None, profile: str | None, overwrite: bool, output: Output
) -> None:
    """Write all settings to a file."""
    refuse_existing((file,), overwrite)
    if profile is None:
        settings = load_settings(camera=_microscope(camera))
        if camera is not None:
            settings = settings.replace({"camera.id": camera})
    else:
        settings = load_profile(profile)
    save_settings(settings, file)
    output.result({"file": file, "settings": settings.to_dict()}, [f"Exported to {file}"])


def text_of(value: Any) -> str:
    """Return a value on one line as it could be typed.

    Examples
    --------
    >>> text_of(None), text_of(True), text_of({"gain": 2.0}), text_of("")
    ('none', 'true', '{gain: 2.0}', '')
    """
    if value is None or value == {}:
        return "none"
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).split("\n...")[0].strip()


def _microscope(camera: Any) -> str | None:
    return absolute_id(camera) if isinstance(camera, str) and camera else None


def _parsed(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text!r} gives no value", "write it as NAME=VALUE")
    try:
        read = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"{text!r} cannot be read ({problem})", "write NAME=VALUE") from None
    if value.strip() == "none":
        read = Settings().get(name.strip())
    return name.strip(), "" if read is None and not value.strip() else read


def _changes(file: Path, chip_nm_per_px: float | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a file says, and sentences on what was taken from MagScope's and what not."""
    from napari_beadscope.storage.magscope_settings import is_magscope_settings, magscope_settings

    if chip_nm_per_px is not None and not 0 < chip_nm_per_px < 1e6:
        raise InputError(f"--chip-nm-per-px is {chip_nm_per_px:g}", "give nm, such as 5500")
    read = read_yaml(file.expanduser(), "settings")
    if not is_magscope_settings(read.data):
        return checked_changes(read), ()
    found = magscope_settings(read, chip_nm_per_px)
    taken = [f"Taken over: {one}" for one in found.taken]
    return found.changes, (*taken, *(f"Not taken over: {one}" for one in found.left))


def _told(error: SettingsError, file: Path) -> str:
    """Return all mistakes, one a line."""
    lines = [one if str(file) in one else f"{file} {one}" for one in error.mistakes]
    return "\n".join(lines)


def _save(
    before: Settings,
    after: Settings,
    camera: str | None,
    output: Output,
    notes: tuple[str, ...],
    kept: str = "",
) -> None:
    changed = before.differences(after)
    camera = camera or after.camera.id
    files: list[Path] = []
    if changed:
        save_settings(after, camera=camera)
        files += [settings_path()] if changed.keys() - OWN else []
        files += [microscope_path(camera)] if changed.keys() & OWN else []
    saved = [f"Saved in {file}" for file in files]
    runs = _still_running(camera) if changed else ()
    output.result(
        {"camera": camera, "changes": changed, "files": files, "notes": notes, "kept": kept},
        [*notes, *_listed(before, changed), *saved, *runs],
    )


def _listed(before: Settings, changed: dict[str, Any]) -> list[str]:
    rows = [
        (name, text_of(before.get(name)), "->", text_of(value)) for name, value in changed.items()
    ]
    return table(rows) or ["Nothing changes"]


def _still_running(camera: str) -> tuple[str, ...]:
    from napari_beadscope.engine import list_engines

    ids = [engine.engine_id for engine in list_engines() if engine.camera == camera]
    return tuple(f"The engine {one} goes on with those before: stop it, or wait" for one in ids)
