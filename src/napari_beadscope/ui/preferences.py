"""The user's settings in a viewer's session.

Owns what of them docks start with, and what can be changed while an engine runs. Must not know Qt.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import load_settings
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.session import Session

#: Settings that docks show; they hold as soon as they are saved.
AT_ONCE = (
    "camera.id",
    "tracking.method",
    "tracking.roi_size_px",
    "tracking.nm_per_px",
    "tracking.zlut",
    "recording.folder",
    "recording.mode",
)


def begin_with_settings(session: Session) -> None:
    """Let the docks of a new session start with the user's settings."""
    try:
        settings = load_settings()
    except SettingsError as error:  # as long as it is not mended, defaults
        session.fail(error, doing="Reading settings")
        return
    session.model.settings = settings
    # The method is left to the engine, which reads the same file: trackers may be compiling.
    use_settings(session, settings, [name for name in AT_ONCE if name != "tracking.method"])


def use_settings(session: Session, settings: Settings, names: Collection[str]) -> None:
    """Bring what docks show, and an engine that runs, to the settings of these names."""
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
        model.camera_id, model.options = settings.camera.id, {}
    if "tracking.method" in names:
        model.method = tracking.method
    calibration = model.calibration
    if "tracking.nm_per_px" in names:
        calibration = replace(calibration, nm_per_px=tracking.nm_per_px)
    if "tracking.zlut" in names:
        calibration = replace(calibration, zlut=tracking.zlut)
    model.calibration = calibration
    touched = {"tracking.method", "tracking.nm_per_px", "tracking.zlut"} & set(names)
    if session.scope is None or not touched:
        return

    def tell(scope: ScopePort) -> None:
        scope.set_calibration(calibration.nm_per_px, calibration.zlut)
        scope.set_method(tracking.method)

    session.on_scope("Setting preferences", tell)
