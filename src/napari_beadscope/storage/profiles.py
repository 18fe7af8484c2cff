"""Profiles: settings under a name, to go back to.

A profile is a file with all settings in the folder ``profiles`` beside the user's own. Owns names
and files. Knows nothing of what settings do.
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage.settings_file import config_folder, load_settings, save_settings

_NAME = re.compile(r"[^\W_][\w .+-]{0,59}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, in alphabetical order."""
    found = _folder().glob("*.yaml") if _folder().is_dir() else ()
    names = [path.stem for path in found if _NAME.fullmatch(path.stem)]
    return tuple(sorted(names, key=str.casefold))


def load_profile(name: str) -> Settings:
    """Return the settings of a profile.

    Raises
    ------
    SettingsError
        There is none of this name, or its file has mistakes.
    """
    return load_settings(_existing(name))


def save_profile(name: str, settings: Settings, *, overwrite: bool = False) -> Path:
    """Keep all settings under a name; return the file.

    Raises
    ------
    SettingsError
        It cannot be a name, or there is a profile of this name and it is not to be replaced.
    """
    path = _path(name)
    there = _same(name)
    if there and not overwrite:
        raise SettingsError(
            f"there is a profile {there!r} already", "choose another name, or replace it"
        )
    return save_settings(settings, _path(there) if there else path)


def rename_profile(old: str, new: str) -> Path:
    """Give a profile another name; return its file.

    Raises
    ------
    SettingsError
        There is none of the old name, one of the new name, or that cannot be a name.
    """
    path, wanted = _existing(old), _path(new)
    there = _same(new)
    if there and there != _same(old):
        raise SettingsError(f"there is a profile {there!r} already", "choose another name")
    try:
        return path.rename(wanted)
    except OSError as error:
        raise _refused(path, "renamed", error) from None


def delete_profile(name: str) -> None:
    """Remove a profile for good; SettingsError if there is none."""
    path = _existing(name)
    try:
        path.unlink()
    except OSError as error:
        raise _refused(path, "removed", error) from None


def _folder() -> Path:
    return config_folder() / "profiles"


def _path(name: str) -> Path:
    good = _NAME.fullmatch(name) and not _RESERVED.fullmatch(name) and name[-1] not in ". "
    if not good:
        raise SettingsError(
            f"{name!r} cannot be a profile's name",
            "begin with a letter or digit; up to 60 letters, digits, blanks and _ . + -",
        )
    return _folder() / f"{name}.yaml"


def _same(name: str) -> str:
    """Return the profile of this name as it is written, '' if there is none."""
    wanted = name.casefold()
    return next((one for one in profile_names() if one.casefold() == wanted), "")


def _existing(name: str) -> Path:
    there = _same(name)
    if not there:
        known = ", ".join(profile_names()) or "none"
        raise SettingsError(f"there is no profile {name!r}", f"known profiles: {known}")
    return _path(there)


def _refused(path: Path, done: str, error: OSError) -> SettingsError:
    return SettingsError(f"{path} cannot be {done} ({error.strerror})", "check the folder")
