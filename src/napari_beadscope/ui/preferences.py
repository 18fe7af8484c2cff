"""The user's settings in a viewer's session: those of the microscope that is chosen.

Owns what of them docks start with, and what can be changed while an engine runs. Must not know Qt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import BeadscopeError, SettingsError
from napari_beadscope.core.messages import SettingsChanged
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import load_settings, save_settings
from napari_beadscope.storage.settings_file import last_recording, remember_recording
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.session import Session

#: Settings that docks show; these follow when other settings hold.
SHOWN = (
    "camera.id",
    "tracking.method",
    "tracking.roi_size_px",
    "tracking.nm_per_px",
    "tracking.zlut",
    "recording.folder",
    "recording.mode",
)
#: Settings that an engine takes when it starts; all others hold as soon as they are saved.
LATER = (
    "camera.options",
    "hardware.motors",
    "engine.ring_mb",
    "engine.min_ring_slots",
    "engine.trackers",
)
#: Settings of the engine that it announces by events of their own.
_ANNOUNCED = ("camera.id", "tracking.method", "tracking.nm_per_px", "tracking.zlut")


def begin_with_settings(session: Session) -> None:
    """Let the docks of a new session start with the user's settings, and follow them."""
    model = session.model
    if _take(session, load_settings):
        settings = model.settings
        if settings.camera.id == model.camera_id:
            model.options = dict(settings.camera.options)
        # The method is left to the engine, which reads the same file: trackers may be compiling.
        show_settings(session, settings, [name for name in SHOWN if name != "tracking.method"])

    model.last_recording = model.last_recording or last_recording()

    def recorded(path: Path | None) -> None:
        if path is not None:
            remember_recording(path)

    model.events.recording.connect(recorded)

    def chosen(_: str) -> None:
        before = model.settings
        if _take(session, lambda: load_settings(camera=microscope_of(session))):
            other = before.differences(model.settings)
            show_settings(session, model.settings, other.keys() & set(SHOWN) - {"camera.id"})

    def heard(event: Any) -> None:
        if isinstance(event, SettingsChanged):
            _changed_by_others(session, Settings.from_dict(event.settings))

    def phase(now: Phase) -> None:
        if now is Phase.READY and session.scope is not None:
            for name, error in session.scope.missing_motors.items():
                text = f"The {name} motor of the settings is not there: {error}"
                session.say(Message("warning", text, time.time()))

    model.events.phase.connect(phase)
    model.events.camera_id.connect(chosen)
    session.heard.connect(heard)


def microscope_of(session: Session) -> str:
    """Return the camera by which the microscope's settings are kept."""
    from napari_beadscope.devices import absolute_id

    model = session.model
    if session.attached and model.status is not None:
        return str(model.status.camera_id)
    try:
        return absolute_id(model.camera_id)
    except BeadscopeError:  # told when the camera is to start
        return model.camera_id


def show_settings(session: Session, settings: Settings, names: Collection[str]) -> None:
    """Bring what docks show to the settings of these names."""
    model, tracking = session.model, settings.tracking
    if "recording.folder" in names:
        try:
            model.root = settings.recording.path
        except SettingsError as error:
            what = f"{error.what}; recordings go to {model.root}"
            session.fail(SettingsError(what, error.remedy))
    if "recording.mode" in names:
        model.mode = settings.recording.mode
    if "tracking.roi_size_px" in names:
        model.click_roi_px = tracking.roi_size_px
    if "camera.id" in names and session.scope is None and settings.camera.id != model.camera_id:
        model.camera_id, model.options = settings.camera.id, dict(settings.camera.options)
    if "tracking.method" in names:
        model.method = tracking.method
    calibration = model.calibration
    if "tracking.nm_per_px" in names:
        calibration = replace(calibration, nm_per_px=tracking.nm_per_px)
    if "tracking.zlut" in names:
        calibration = replace(calibration, zlut=tracking.zlut)
    model.calibration = calibration


def use_settings(
    session: Session,
    settings: Settings,
    changes: Mapping[str, Any],
    refused: Callable[[], None],
) -> None:
    """Let changed settings hold in the docks and in an engine that runs, or call `refused`."""
    show_settings(session, settings, changes.keys())
    told = dict(changes)
    if session.scope is not None and told:
        session.on_scope(
            "Setting preferences", lambda scope: scope.set_settings(told), undo=refused
        )


def keep_motor(session: Session, name: str, motor: str, options: Mapping[str, Any]) -> None:
    """Let a motor start with the microscope from now on."""
    from napari_beadscope.devices import absolute_id

    _keep(session, {**_motors(session), name: {"id": absolute_id(motor), "options": options}})


def forget_motor(session: Session, name: str) -> None:
    """Do not start a motor with the microscope any more."""
    _keep(session, {one: what for one, what in _motors(session).items() if one != name})


def _motors(session: Session) -> dict[str, Any]:
    """Return the motors that start with the microscope, by name."""
    from napari_beadscope.devices import motors_of_camera

    kept = session.model.settings.get("hardware.motors")
    if kept is not None:
        return dict(kept)
    return {one.usual_name: {"id": one.id} for one in motors_of_camera(microscope_of(session))}


def _keep(session: Session, motors: Mapping[str, Any]) -> None:
    model = session.model
    try:
        settings = model.settings.replace({"hardware.motors": motors})
        save_settings(settings, camera=microscope_of(session))
    except SettingsError as error:
        session.fail(error, doing="Keeping the motors")
        return
    model.settings = settings


def _take(session: Session, load: Any) -> bool:
    """Let the saved settings be those that `load` reads; as long as it cannot, defaults."""
    try:
        session.model.settings = load()
    except SettingsError as error:
        session.fail(error, doing="Reading settings")
        return False
    return True


def _changed_by_others(session: Session, now: Settings) -> None:
    """Follow another window or a script; what it has saved is saved here, too."""
    model = session.model
    before = model.settings_in_use or model.settings
    model.settings_in_use = now
    other = before.differences(now).keys() & set(SHOWN)
    show_settings(session, now, other - set(_ANNOUNCED))
    if now != model.settings:
        _take(session, lambda: load_settings(camera=microscope_of(session)))
