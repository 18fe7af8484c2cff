"""Settings as YAML files that people edit: the user's, and each microscope's own.

``settings.yaml`` holds for every microscope; ``microscopes/<camera>.yaml`` beside it holds what
differs with one camera: its properties and options, pixel size, Z-LUT, motors, locks. Owns where
they lie and how mistakes in them are explained. Knows nothing of what settings do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import (
    Settings,
    all_mistakes,
    describe,
    settings_mistakes,
)
from napari_beadscope.storage.yaml_file import YamlFile, read_yaml, write_yaml

#: Names of the settings that each microscope has its own of.
OWN = frozenset(row.name for row in describe() if row.own)
_LAST = "last.yaml"
_MOST_BATCHES = 8
_BATCHES = "batches.yaml"
_MANIFEST = "recording.yaml"
_HEAD = "BeadScope settings; what is missing has its default"


def config_folder() -> Path:
    """Return the folder of the user's settings on this platform.

    The environment variable ``BEADSCOPE_CONFIG_DIR`` names another one.
    """
    from platformdirs import user_config_path

    folder = os.environ.get("BEADSCOPE_CONFIG_DIR")
    if folder:
        return Path(folder).expanduser()
    return user_config_path("napari-beadscope", appauthor=False)


def settings_path() -> Path:
    """Return where the user's settings lie."""
    return config_folder() / "settings.yaml"


def microscope_path(camera: str) -> Path:
    """Return where the settings lie that only the microscope with this camera has.

    Examples
    --------
    >>> microscope_path("pylon:0815 A").name
    'pylon_0815_A-dc273d.yaml'
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", camera)[:60]
    mark = hashlib.sha256(camera.encode()).hexdigest()[:6]  # two IDs never share a file
    return config_folder() / "microscopes" / f"{plain}-{mark}.yaml"


@dataclass(frozen=True, slots=True)
class Layers:
    """What the user's file and the microscope's file say, by dotted names."""

    camera: str
    user: dict[str, Any]
    microscope: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """Both over the defaults."""
        return Settings().replace({**self.user, **self.microscope})

    def source_of(self, name: str) -> str:
        """Return where the value of a setting is from: a file's name, or 'default'."""
        if name in self.microscope:
            return f"microscopes/{microscope_path(self.camera).name}"
        return "settings.yaml" if name in self.user else "default"


def load_layers(camera: str | None = None) -> Layers:
    """Read the user's file and that of the microscope with this camera, by default the user's.

    Raises
    ------
    SettingsError
        Names every mistake with file and line, the value and what is allowed.
    """
    user = read_changes(settings_path()) if settings_path().exists() else {}
    camera = camera or user.get("camera.id") or Settings().camera.id
    if camera != user.get("camera.id", Settings().camera.id):
        user.pop("camera.options", None)  # those are for the other kind of camera
    own = microscope_path(camera)
    found = read_changes(own) if own.exists() else {}
    return Layers(camera, user, {name: value for name, value in found.items() if name in OWN})


def load_settings(path: str | Path | None = None, *, camera: str | None = None) -> Settings:
    """Read settings; what no file mentions has its default.

    Parameters
    ----------
    path : path, optional
        A YAML file; without one, the user's own file and the microscope's.
    camera : str, optional
        The microscope's camera, by default the user's.

    Raises
    ------
    SettingsError
        Names every mistake with file and line, the value and what is allowed.
    """
    if path is None:
        return load_layers(camera).settings
    return Settings().replace(read_changes(Path(path).expanduser()))


def read_changes(path: Path) -> dict[str, Any]:
    """Return what a settings file says, by dotted names.

    Raises
    ------
    SettingsError
        Names every mistake with its line, the value and what is allowed.
    """
    return checked_changes(read_yaml(path, "settings"))


def checked_changes(file: YamlFile) -> dict[str, Any]:
    """Return what a file that was read says, by dotted names; SettingsError for all mistakes."""
    data = {section: {} if fields is None else fields for section, fields in file.data.items()}
    mistakes = list(file.twice)
    try:
        Settings.model_validate(data)
    except ValidationError as error:
        mistakes += settings_mistakes(error, lambda place: f"line {file.line_of(place)}")
    if len(mistakes) == 1:
        raise SettingsError(f"{file.path} {mistakes[0].what}", mistakes[0].remedy)
    if mistakes:
        raise all_mistakes(str(file.path), mistakes)
    return {
        f"{section}.{field}": value
        for section, fields in data.items()
        for field, value in fields.items()
    }


def save_settings(
    settings: Settings, path: str | Path | None = None, *, camera: str | None = None
) -> Path:
    """Write settings; return where.

    Parameters
    ----------
    settings : Settings
        What to write.
    path : path, optional
        A file that gets all of them. Without one, the user's own file and the microscope's: each
        gets what differs.
    camera : str, optional
        The microscope's camera, by default that of `settings`.

    Raises
    ------
    SettingsError
        A file cannot be written; an older one is unharmed.
    """
    if path is not None:
        file = Path(path).expanduser()
        write_yaml(file, settings.to_dict(), _HEAD)
        return file
    camera = camera or settings.camera.id
    kept = _kept(settings_path())
    changed = Settings().differences(settings)
    user = {name: value for name, value in changed.items() if name not in OWN}
    user.update((name, value) for name, value in kept.items() if name in OWN)
    own = Settings().replace(user).differences(settings)
    own = {name: value for name, value in own.items() if name in OWN}
    place = microscope_path(camera)
    if own or place.exists():
        _kept(place)
        head = f"BeadScope settings of the microscope with the camera {camera!r} only"
        write_yaml(place, nested(own), head)
    write_yaml(settings_path(), nested(user), _HEAD)
    return settings_path()


def remember_recording(folder: Path) -> None:
    """Keep which recording was the last one; nothing is said if that cannot be kept."""
    with contextlib.suppress(SettingsError):
        write_yaml(config_folder() / _LAST, {"recording": str(folder)})


def last_recording() -> Path | None:
    """Return the last recording that was kept, None if there is none or it is gone."""
    try:
        said = read_yaml(config_folder() / _LAST, "the last recording").data.get("recording")
    except SettingsError:
        return None
    return Path(said) if isinstance(said, str) and Path(said, _MANIFEST).is_file() else None


def remember_batch(path: Path) -> None:
    """Keep a plan or a batch's folder as the last one; nothing is said if that cannot be kept."""
    kept = [path, *(one for one in recent_batches() if one != path)][:_MOST_BATCHES]
    with contextlib.suppress(SettingsError):
        write_yaml(config_folder() / _BATCHES, {"batches": [str(one) for one in kept]})


def recent_batches() -> tuple[Path, ...]:
    """Return plans and folders of batches that were kept and are there, the last one first."""
    try:
        said = read_yaml(config_folder() / _BATCHES, "the last batches").data.get("batches")
    except SettingsError:
        return ()
    found = said if isinstance(said, list) else []
    return tuple(Path(one) for one in found if isinstance(one, str) and Path(one).exists())


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted names as sections.

    Examples
    --------
    >>> nested({"camera.id": "simulated", "camera.fps": 5.0})
    {'camera': {'id': 'simulated', 'fps': 5.0}}
    """
    data: dict[str, Any] = {}
    for name, value in changes.items():
        section, _, field = name.partition(".")
        data.setdefault(section, {})[field] = value
    return data


def _kept(path: Path) -> dict[str, Any]:
    """Return what a file says that is about to be written; one with mistakes is set aside."""
    if not path.exists():
        return {}
    try:
        return read_changes(path)
    except SettingsError:
        now = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        aside = path.with_name(f"{path.stem}-with-mistakes-{now}.yaml")
        try:
            path.replace(aside)
        except OSError as error:
            raise SettingsError(
                f"the settings file {path} has mistakes and cannot be set aside ({error.strerror})",
                "correct or move it",
            ) from error
        return {}
