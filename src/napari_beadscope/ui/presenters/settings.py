"""The Settings dock's mind: what can be set, what was changed, what is saved.

Owns which settings hold at once and which from the next start on. Must not know Qt. Names, units,
ranges, defaults and meanings are those of `core.settings`, so they cannot disagree.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.settings import SettingInfo, Settings, describe
from napari_beadscope.storage import load_settings, save_settings
from napari_beadscope.storage.settings_file import settings_path
from napari_beadscope.ui.preferences import AT_ONCE, use_settings
from napari_beadscope.ui.presenters.fields import label_of
from napari_beadscope.ui.session import Session

SECTIONS = {
    "camera": "Camera",
    "tracking": "Tracking",
    "recording": "Recording",
    "hardware": "Hardware",
    "xy_lock": "XY-lock",
    "z_lock": "Z-lock",
    "engine": "Engine",
}
_EDITORS = {"recording.folder": "folder", "tracking.zlut": "file", "hardware.motors": "shown"}
_LABELS = {"camera.id": "Camera", "camera.properties": "More properties", "tracking.zlut": "Z-LUT"}
_LATER = "from the next start of the camera's engine on"
_NOW = "as soon as it is saved"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting to show.

    ``kind`` is 'bool', 'choice', 'folder', 'file', 'text' or 'shown' (edited elsewhere).
    """

    name: str
    label: str
    section: str
    kind: str
    text: str
    unit: str
    choices: tuple[str, ...]
    meaning: str
    tip: str
    is_default: bool
    is_unsaved: bool


class SettingsPresenter:
    """What the Settings dock shows and does.

    Parameters
    ----------
    session : Session
        Keeps what is saved, and what is changed and not saved yet.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._model = session.model
        self._infos = {info.name: info for info in describe()}
        self._problem = ""
        self._done = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all settings, section by section."""
        return tuple(self._infos)

    def draft(self) -> Settings:
        """Return the settings with the changes that are not saved yet."""
        return self._model.settings.replace(self._model.settings_changes)

    def rows(self) -> tuple[SettingRow, ...]:
        """Return all settings."""
        draft = self.draft()
        return tuple(self._row(info, draft) for info in self._infos.values())

    def matches(self, row: SettingRow, words: str) -> bool:
        """Return whether all `words` are found in a setting's name or meaning."""
        text = f"{row.name} {row.label} {row.section} {row.meaning} {row.unit}".lower()
        return all(word in text for word in words.lower().split())

    def set(self, name: str, text: str) -> None:
        """Change a setting; what is not allowed is refused, and `state` says why."""
        self._done = ""
        try:
            self._change(name, _value(_kind(name), text))
        except BeadscopeError as error:
            sentence = str(error)
            self._problem = sentence[:1].upper() + sentence[1:]
        else:
            self._problem = ""
        self._tell()  # also of a refused value: the field goes back to what holds

    def reset(self, name: str) -> None:
        """Give a setting its default."""
        self._problem = self._done = ""
        section, _, field = name.partition(".")
        self._change(name, Settings().to_dict()[section][field])
        self._tell()

    def reset_all(self) -> None:
        """Give every setting its default."""
        self._problem = self._done = ""
        self._model.settings_changes = self._model.settings.differences(Settings())
        self._tell()

    def save(self) -> None:
        """Write the user's settings file; those that can, hold from now on."""
        changed = tuple(self._model.settings_changes)
        draft = self.draft()
        self._session.run(
            "Setting preferences",
            lambda: save_settings(draft),
            lambda path: self._saved(path, draft, changed),
        )

    def load(self, path: str) -> None:
        """Take the settings over from a file; they are not saved yet."""
        self._session.run(
            "Reading settings", lambda: load_settings(path), lambda found: self._loaded(path, found)
        )

    def export(self, path: str) -> None:
        """Write the settings as they are shown to a file."""
        draft = self.draft()
        self._session.run("Setting preferences", lambda: save_settings(draft, path), self._exported)

    def why_not_save(self) -> str:
        """Return why there is nothing to save, '' if there is."""
        return "" if self._model.settings_changes else "Nothing is changed"

    def state(self) -> tuple[str, str]:
        """Return what is wrong or not saved, and its tone."""
        if self._problem:
            return self._problem, "bad"
        count = len(self._model.settings_changes)
        if count:
            return f"{count} change{'s' if count > 1 else ''}, not saved yet", "warn"
        if self._done:
            return self._done, "ok"
        path = settings_path()
        return (f"As saved in {path}" if path.is_file() else "Defaults: nothing is saved yet"), "ok"

    def _change(self, name: str, value: Any) -> None:
        changes = {**self._model.settings_changes, name: value}
        draft = self._model.settings.replace(changes)  # raises what is not allowed
        self._model.settings_changes = self._model.settings.differences(draft)

    def _saved(self, path: Path, settings: Settings, changed: tuple[str, ...]) -> None:
        later = [name for name in changed if name not in AT_ONCE]
        now = [name for name in changed if name in AT_ONCE]
        use_settings(self._session, settings, now)
        said = [f"Saved in {path}."]
        if now:
            said.append(f"In use now: {', '.join(now)}.")
        if later:
            said.append(f"In use {_LATER}: {', '.join(later)}.")
        self._done = " ".join(said)
        self._model.settings = settings
        self._model.settings_changes = {}

    def _loaded(self, path: str, settings: Settings) -> None:
        self._problem = ""
        self._done = f"Read from {path}: as what is saved"
        self._model.settings_changes = self._model.settings.differences(settings)

    def _exported(self, path: Path) -> None:
        self._done = f"Exported to {path}"
        self._tell()

    def _tell(self) -> None:
        self._model.events.settings_changes.emit(self._model.settings_changes)

    def _row(self, info: SettingInfo, draft: Settings) -> SettingRow:
        section, _, field = info.name.partition(".")
        value = draft.to_dict()[section][field]
        choices = _choices(info.name)
        unit = f" {info.unit}" if info.unit else ""
        default = _text(Settings().to_dict()[section][field]) or "empty"
        when = _NOW if info.name in AT_ONCE else _LATER
        tip = (
            f"{info.description}.\n{info.name}: {info.range}{unit}; default {default}{unit}.\n"
            f"In use {when}."
        )
        return SettingRow(
            info.name,
            _LABELS.get(info.name) or label_of(field, info.unit.replace("/", "_per_")),
            SECTIONS[section],
            _EDITORS.get(info.name) or _shape(_kind(info.name), choices),
            _text(value),
            info.unit,
            choices,
            info.description,
            tip,
            value == Settings().to_dict()[section][field],
            info.name in self._model.settings_changes,
        )


def _kind(name: str) -> Any:
    section, _, field = name.partition(".")
    model: Any = Settings.model_fields[section].annotation
    return model.model_fields[field].annotation


def _choices(name: str) -> tuple[str, ...]:
    kind = _kind(name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(one.value for one in kind)
    if typing.get_origin(kind) is typing.Literal:
        return tuple(typing.get_args(kind))
    return ()


def _shape(kind: Any, choices: tuple[str, ...]) -> str:
    if kind is bool:
        return "bool"
    return "choice" if choices else "text"


def _text(value: Any) -> str:
    """Return a value as one types it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and "id" in value:  # a motor
        options = _text(value.get("options", {}))
        return f"{value['id']} ({options})" if options else str(value["id"])
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " ".join(_text(one) for one in value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return "" if value is None else str(value)


def _value(kind: Any, text: str) -> Any:
    """Return what was typed as the setting's type, or as it is if it cannot be that."""
    text = text.strip()
    if kind is bool:
        return text == "true"
    if typing.get_origin(kind) is dict:
        parts = [part.partition(":") for part in text.split(",") if part.strip()]
        return {name.strip(): _option(value) for name, _, value in parts}
    if isinstance(kind, types.UnionType) and not text:
        return None
    if kind is int or kind is float or isinstance(kind, types.UnionType):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            return text
    return text


def _option(text: str) -> Any:
    """Return what was typed as a number or true or false, else as it is."""
    word = text.strip()
    if word in ("true", "false"):
        return word == "true"
    return _value(float, word)
