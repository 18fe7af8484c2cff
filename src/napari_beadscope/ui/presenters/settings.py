"""The Settings dock's mind: what can be set, what was changed, what is saved.

Owns which settings hold at once and which from the next start on. Must not know Qt. Names, units,
ranges, defaults and meanings are those of `core.settings`, so they cannot disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.settings import SettingInfo, Settings, describe
from napari_beadscope.storage import save_settings
from napari_beadscope.storage.magscope_settings import is_magscope_settings, magscope_settings
from napari_beadscope.storage.profiles import (
    delete_profile,
    load_profile,
    profile_names,
    rename_profile,
    save_profile,
)
from napari_beadscope.storage.settings_file import (
    OWN,
    checked_changes,
    microscope_path,
    settings_path,
)
from napari_beadscope.storage.yaml_file import read_yaml
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.preferences import LATER, microscope_of, use_settings
from napari_beadscope.ui.presenters.fields import label_of
from napari_beadscope.ui.presenters.setting_text import (
    choices_of,
    kind_of,
    shape_of,
    text_of,
    value_of,
)
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
        self._notes = ""

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
            self._change(name, value_of(kind_of(name), text))
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
        """Write the settings where they belong; those that can, hold from now on."""
        changes = dict(self._model.settings_changes)
        draft = self.draft()
        camera = draft.camera.id if "camera.id" in changes else microscope_of(self._session)
        self._session.run(
            "Setting preferences",
            lambda: save_settings(draft, camera=camera),
            lambda path: self._saved(path, draft, changes),
        )

    def load(self, path: str) -> None:
        """Take settings over from a file, ours or MagScope's; they are not saved yet."""
        self._session.run(
            "Reading settings", lambda: _read(Path(path)), lambda found: self._loaded(path, *found)
        )

    def export(self, path: str) -> None:
        """Write the settings as they are shown to a file."""
        draft = self.draft()
        self._session.run("Setting preferences", lambda: save_settings(draft, path), self._exported)

    def take_over(self) -> None:
        """Take over how the microscope that runs is set up now; that is not saved yet."""
        self._session.on_scope(
            "Reading the microscope", lambda scope: set_up_now(scope, self.draft()), self._took_over
        )

    # profiles

    def look_for_profiles(self) -> None:
        """Fill `model.profiles`."""
        self._model.profiles = profile_names()

    def use_profile(self, name: str) -> None:
        """Let the settings be those of a profile; they are not saved yet."""

        def done(settings: Settings) -> None:
            self._problem = self._notes = ""
            self._model.settings_changes = self._model.settings.differences(settings)
            self._done = f"As the profile {name}, and as what is saved"
            self._tell()

        self._session.run("Reading settings", lambda: load_profile(name), done)

    def save_profile(self, name: str, *, overwrite: bool = False) -> None:
        """Keep the settings as they are shown under a name."""
        draft = self.draft().replace({"camera.id": self.microscope()})
        self._profile(
            lambda: save_profile(name, draft, overwrite=overwrite), f"Kept as the profile {name}"
        )

    def rename_profile(self, old: str, new: str) -> None:
        """Give a profile another name."""
        self._profile(lambda: rename_profile(old, new), f"The profile {old} is {new} now")

    def delete_profile(self, name: str) -> None:
        """Remove a profile for good."""
        self._profile(lambda: delete_profile(name), f"The profile {name} is removed")

    def _profile(self, work: Callable[[], Any], done: str) -> None:
        def then(_: Any) -> None:
            self._done = done
            self.look_for_profiles()
            self._tell()

        self._session.run("Setting profiles", work, then)

    # what is shown

    def why_not_take_over(self) -> str:
        """Return why there is nothing to take over, '' if there is."""
        return "" if self._session.scope is not None else "No microscope runs: press Live first"

    def why_not_save(self) -> str:
        """Return why there is nothing to save, '' if there is."""
        return "" if self._model.settings_changes else "Nothing is changed"

    def state(self) -> tuple[str, str]:
        """Return what is wrong or not saved, and its tone."""
        if self._problem:
            return self._problem, "bad"
        count = len(self._model.settings_changes)
        if count:
            text = f"{count} change{'s' if count > 1 else ''}, not saved yet"
            return f"{text}. {self._notes}" if self._notes else text, "warn"
        if self._done:
            return self._done, "ok"
        in_use = self._model.settings_in_use
        other = [] if in_use is None else list(self._model.settings.differences(in_use))
        other = [name for name in other if name != "hardware.motors"]  # see the Hardware dock
        if other:
            return f"The engine that runs has other values: {', '.join(other)}", "warn"
        return self._where(), "ok"

    def microscope(self) -> str:
        """Return which microscope these are the settings of."""
        return microscope_of(self._session)

    def _where(self) -> str:
        path, own = settings_path(), microscope_path(self.microscope())
        if own.is_file():
            return f"As saved in {path.parent}"
        return f"As saved in {path}" if path.is_file() else "Defaults: nothing is saved yet"

    def _change(self, name: str, value: Any) -> None:
        changes = {**self._model.settings_changes, name: value}
        draft = self._model.settings.replace(changes)  # raises what is not allowed
        self._model.settings_changes = self._model.settings.differences(draft)

    def _saved(self, path: Path, settings: Settings, changes: dict[str, Any]) -> None:
        later = [name for name in changes if name in LATER]
        now = [name for name in changes if name not in LATER]
        own = any(name in OWN for name in changes)
        said = [f"Saved in {path.parent if own else path}."]
        if now:
            said.append(f"In use now: {', '.join(now)}.")
        if later:
            said.append(f"In use {_LATER}: {', '.join(later)}.")
        self._done = " ".join(said)
        self._model.settings = settings
        self._model.settings_changes = {}
        use_settings(self._session, settings, changes, lambda: self._refused(said[0]))

    def _refused(self, saved: str) -> None:
        self._done = f"{saved} The engine that runs goes on with those before."
        self._tell()

    def _loaded(self, path: str, changes: dict[str, Any], notes: tuple[str, ...]) -> None:
        self._problem = ""
        self._draft(changes)
        self._done = f"Read from {path}: as what is saved"
        if notes:
            text = "\n".join((f"{path} is MagScope's.", *notes))
            self._session.say(Message("info", text, time.time()))
            self._notes = f"{len(notes)} settings of MagScope's, see Status for what became of each"
        self._tell()

    def _took_over(self, changes: dict[str, Any]) -> None:
        self._problem = ""
        self._draft(changes)
        self._done = "The microscope that runs is set up as the settings are saved"
        self._tell()

    def _draft(self, changes: Mapping[str, Any]) -> None:
        """Let changes be those of the draft, beside those that are there."""
        try:
            draft = self.draft().replace(changes)
        except BeadscopeError as error:
            self._session.fail(error)
            return
        self._notes = ""
        self._model.settings_changes = self._model.settings.differences(draft)

    def _exported(self, path: Path) -> None:
        self._done = f"Exported to {path}"
        self._tell()

    def _tell(self) -> None:
        self._model.events.settings_changes.emit(self._model.settings_changes)

    def _row(self, info: SettingInfo, draft: Settings) -> SettingRow:
        section, _, field = info.name.partition(".")
        value = draft.to_dict()[section][field]
        choices = choices_of(info.name)
        unit = f" {info.unit}" if info.unit else ""
        default = text_of(Settings().to_dict()[section][field]) or "empty"
        when = _LATER if info.name in LATER else _NOW
        kept = "Kept for this microscope" if info.own else "Kept for all microscopes"
        tip = (
            f"{info.description}.\n{info.name}: {info.range}{unit}; default {default}{unit}.\n"
            f"{kept}; in use {when}."
        )
        return SettingRow(
            info.name,
            _LABELS.get(info.name) or label_of(field, info.unit.replace("/", "_per_")),
            SECTIONS[section],
            _EDITORS.get(info.name) or shape_of(kind_of(info.name), choices),
            text_of(value),
            info.unit,
            choices,
            info.description,
            tip,
            value == Settings().to_dict()[section][field],
            info.name in self._model.settings_changes,
        )


def set_up_now(scope: ScopePort, settings: Settings) -> dict[str, Any]:
    """Return how a microscope is set up now, as settings by dotted names."""
    values = {prop["name"]: prop["value"] for prop in scope.camera_properties()}
    kept = {*settings.camera.properties, "gain"} & values.keys()
    changes: dict[str, Any] = {
        f"camera.{name}": values[name] for name in ("exposure_ms", "fps") if name in values
    }
    changes["camera.properties"] = {name: values[name] for name in sorted(kept)}
    binning = float(values.get("binning", 1))  # a camera opens without; its pixels are smaller then
    changes["tracking.nm_per_px"] = scope.calibration.nm_per_px / binning
    changes["tracking.zlut"] = scope.calibration.zlut
    for section, lock in (("xy_lock", scope.locks.xy), ("z_lock", scope.locks.z)):
        if lock is not None:
            fields = settings.to_dict()[section]
            changes.update({f"{section}.{name}": getattr(lock, name) for name in fields})
    return changes


def _read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a file says, and sentences on what MagScope's becomes here."""
    file = read_yaml(path.expanduser(), "settings")
    if not is_magscope_settings(file.data):
        return checked_changes(file), ()
    found = magscope_settings(file)
    taken = tuple(f"Taken over: {one}" for one in found.taken)
    return found.changes, (*taken, *(f"Not taken over: {one}" for one in found.left))
