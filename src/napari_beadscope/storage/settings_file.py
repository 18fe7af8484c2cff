"""Settings as a YAML file that people edit.

Owns where it lies and how a mistake in it is explained. Knows nothing of what settings do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings, settings_error
from napari_beadscope.storage.manifest import write_atomic


def settings_path() -> Path:
    """Return where the user's settings lie on this platform.

    The environment variable ``BEADSCOPE_CONFIG_DIR`` names another folder.
    """
    from platformdirs import user_config_path

    folder = os.environ.get("BEADSCOPE_CONFIG_DIR")
    if folder:
        return Path(folder).expanduser() / "settings.yaml"
    return user_config_path("napari-beadscope", appauthor=False) / "settings.yaml"


def load_settings(path: str | Path | None = None) -> Settings:
    """Read settings from a YAML file; what it does not mention has its default.

    Parameters
    ----------
    path : path, optional
        Without one, the user's own file, or defaults when there is none.

    Raises
    ------
    SettingsError
        Names the file and line, the setting, its value and what is allowed.
    """
    file = settings_path() if path is None else Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return Settings()
        raise SettingsError(f"there is no settings file {file}", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file {file} cannot be read ({error})", "give a YAML text file"
        ) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise SettingsError(
            f"{file}{line} is not valid YAML ({problem})", "correct it, or remove the file"
        ) from None
    except (ValueError, RecursionError) as error:  # no such date, a number without end, ...
        raise SettingsError(
            f"{file} holds a value that is none ({error})", "correct it, or remove the file"
        ) from None
    if data is None:
        return Settings()
    if not isinstance(data, dict):
        raise SettingsError(
            f"{file} does not hold settings", "begin with a section such as 'camera:'"
        )
    try:
        return Settings.model_validate({str(k): {} if v is None else v for k, v in data.items()})
    except ValidationError as error:
        line_number = _line_of(root, error.errors()[0]["loc"])
        raise settings_error(error, f"{file} line {line_number}") from None


def _line_of(node: Any, where: tuple[int | str, ...]) -> int:
    """Return the line, from 1, of the deepest key on the way `where` that the file has."""
    line = 1
    for part in where:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == str(part):
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return line


def save_settings(settings: Settings, path: str | Path | None = None) -> Path:
    """Write all settings to a YAML file in one step; return where.

    Parameters
    ----------
    settings : Settings
        What to write.
    path : path, optional
        Without one, the user's own file.

    Raises
    ------
    SettingsError
        The file cannot be written; an older one is unharmed.
    """
    file = settings_path() if path is None else Path(path).expanduser()
    text = yaml.safe_dump(settings.to_dict(), sort_keys=False, allow_unicode=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text)
    except OSError as error:
        raise SettingsError(
            f"the settings file {file} cannot be written ({error.strerror})",
            "check the folder and free space",
        ) from error
    return file
