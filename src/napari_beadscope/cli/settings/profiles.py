"""What `beadscope settings profiles …` do.

Must not know how the options are written on the command line.
"""

from __future__ import annotations

from napari_beadscope.cli.output import Output, table
from napari_beadscope.cli.settings.commands import text_of
from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.devices import absolute_id
from napari_beadscope.storage.profiles import (
    delete_profile,
    load_profile,
    profile_names,
    rename_profile,
    save_profile,
)
from napari_beadscope.storage.settings_file import load_settings, save_settings


def list_all(output: Output) -> None:
    """Print every profile with what makes it different from the defaults."""
    rows, data = [], []
    for name in profile_names():
        try:
            changes = Settings().differences(load_profile(name))
            words = ", ".join(f"{key}={text_of(value)}" for key, value in changes.items())
            data.append({"name": name, "changes": changes, "why_not": ""})
            rows.append((name, words or "the defaults"))
        except SettingsError as error:
            data.append({"name": name, "changes": {}, "why_not": str(error)})
            rows.append((name, f"not usable: {error}"))
    output.result({"profiles": data}, table(rows) or ["no profiles"])


def save(name: str, camera: str | None, overwrite: bool, output: Output) -> None:
    """Keep the settings that hold now under a name."""
    settings = load_settings(camera=absolute_id(camera) if camera else None)
    if camera:
        settings = settings.replace({"camera.id": camera})
    there = [one for one in profile_names() if one.casefold() == name.casefold()]
    if there and not overwrite:
        raise SettingsError(
            f"there is a profile {there[0]!r} already", "choose another name, or --overwrite"
        )
    path = save_profile(name, settings, overwrite=overwrite)
    output.result({"profile": name, "file": path}, [f"Saved as {name!r}: {path}"])


def use(name: str, output: Output) -> None:
    """Let a profile's settings hold."""
    settings = load_profile(name)
    camera = absolute_id(settings.camera.id)
    changed = load_settings(camera=camera).differences(settings)
    save_settings(settings, camera=camera)
    lines = [f"{key}: {text_of(value)}" for key, value in changed.items()] or ["Nothing changes"]
    output.result({"profile": name, "camera": camera, "changes": changed}, lines)


def rename(name: str, new: str, output: Output) -> None:
    """Give a profile another name."""
    path = rename_profile(name, new)
    output.result({"profile": new, "file": path}, [f"{name!r} is {new!r} now"])


def delete(name: str, output: Output) -> None:
    """Remove a profile."""
    delete_profile(name)
    output.result({"profile": name}, [f"{name!r} is removed"])
