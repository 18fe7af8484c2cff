"""The sections of the settings: every field with its unit, range, default and meaning.

Owns names and limits. `core.settings` puts the sections together and explains mistakes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from napari_beadscope.core.errors import InputError, SettingsError
from napari_beadscope.core.locks import RANGES, XYLock, ZLock
from napari_beadscope.core.types import METHODS, AcquisitionMode

Plain = bool | int | float | str
#: What an option of a camera or a motor may be.
Option = Plain | list[Plain] | None


def _number(
    default: Any, unit: str, low: float, high: float, meaning: str, *, own: bool = False
) -> Any:
    """Describe a number; `own` is whether each microscope has its own."""
    extra: dict[str, Any] = {"unit": unit, "microscope": own}
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra=extra)


def _other(default: Any, meaning: str, choices: str = "", *, own: bool = False) -> Any:
    extra: dict[str, Any] = {"unit": "", "allowed": choices, "microscope": own}
    return Field(default, description=meaning, json_schema_extra=extra)


def _of_lock(kind: type, name: str, meaning: str) -> Any:
    """Describe a number of a lock, with the lock's own default and range."""
    allowed, default = RANGES[name], getattr(kind(), name)
    unit = "share" if name in ("gain", "min_quality") else allowed.unit
    return _number(default, unit, allowed.low, allowed.high, meaning, own=True)


class Section(BaseModel):
    """Fields that belong together; nothing else may be given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def expanded(path: str | Path) -> Path:
    """Return `path` with ``~`` resolved.

    Raises
    ------
    InputError
        There is no such user, or nobody knows where that home folder is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        who = Path(path).parts[0]
        raise InputError(
            f"there is no home folder {who!r}", "write the path without ~, or ~/ for your own"
        ) from None


class CameraSettings(Section):
    """Which camera, and how it is set up before streaming."""

    id: str = _other("simulated", "Camera to open, as listed by `beadscope cameras`")
    exposure_ms: float | None = _number(
        None, "ms", 0.001, 60_000.0, "Exposure time; none leaves it to the camera", own=True
    )
    fps: float | None = _number(
        None, "frames/s", 0.001, 100_000.0, "Frame rate; none leaves it to the camera", own=True
    )
    properties: dict[str, float | str] = _other(
        {},
        "Further camera properties by name, set when the camera is opened",
        "name: value pairs the camera knows",
        own=True,
    )
    options: dict[str, Option] = _other(
        {}, "Options the camera is opened with", "name: value pairs the camera knows", own=True
    )


class TrackingSettings(Section):
    """How beads are tracked."""

    backend: str = _other("auto", "Tracking backend", "auto, or a name listed by `beadscope info`")
    method: Literal["precise", "magtrack-compatible"] = _other(
        METHODS[0],
        "How a position is found: `precise`, or `magtrack-compatible` for the numbers of MagScope",
        ", ".join(METHODS),
    )
    roi_size_px: int = _number(
        64, "px", 8, 256, "Edge of the ROI of beads that are listed, not found", own=True
    )
    nm_per_px: float = _number(
        100.0, "nm/px", 0.1, 100_000.0, "Size of a pixel in the sample", own=True
    )
    zlut: str = _other(
        "", "Z-LUT file in MagTrack's layout; empty for no z", "path or empty", own=True
    )
    profiles: bool = _other(True, "Carry each bead's radial profile with its track row")


class RecordingSettings(Section):
    """What lands on disk, and where."""

    folder: str = _other("~/beadscope", "Folder in which each recording gets its own folder")
    mode: AcquisitionMode = _other(AcquisitionMode.TRACK_FULL, "What a recording keeps")
    video_file_gb: float = _number(
        4.0, "GB", 0.001, 100_000.0, "A new video file is begun when one reaches this size"
    )
    min_free_gb: float = _number(
        1.0, "GB", 0.0, 100_000.0, "Recording stops cleanly when less than this is left on disk"
    )
    profiles: bool = _other(False, "Also save radial profiles (profiles.csv; large)")

    @property
    def path(self) -> Path:
        """`folder` with ``~`` resolved; `SettingsError` if that leads nowhere."""
        try:
            return expanded(self.folder)
        except InputError as error:
            what = f"'recording.folder' cannot be {self.folder!r}: {error.what}"
            raise SettingsError(what, error.remedy) from None


class MotorSettings(Section):
    """A motor: what it is, and what it is opened with."""

    id: str = Field(min_length=1)
    options: dict[str, Option] = Field(default_factory=dict)


class HardwareSettings(Section):
    """What is there beside the camera."""

    motors: dict[str, MotorSettings] | None = _other(
        None,
        "Motors that start with the camera; none: those that belong to it",
        "name: {id: MOTOR, options: {name: value}} for each, or none",
        own=True,
    )


class XYLockSettings(Section):
    """What the XY-lock begins with unless it is told otherwise."""

    interval_s: float = _of_lock(XYLock, "interval_s", "Time between two looks at the beads")
    max_step_px: float = _of_lock(XYLock, "max_step_px", "An ROI moves by at most this at a time")
    window: int = _of_lock(XYLock, "window", "A bead is where it was on average in so many frames")

    @property
    def lock(self) -> XYLock:
        """The lock that begins with these."""
        return XYLock(**self.model_dump())


class ZLockSettings(Section):
    """What the Z-lock begins with unless it is told otherwise."""

    motor: str = _other(ZLock().motor, "The focus motor's name", own=True)
    interval_s: float = _of_lock(ZLock, "interval_s", "Shortest time between two corrections")
    max_step_nm: float = _of_lock(ZLock, "max_step_nm", "The focus moves by at most this at a time")
    window: int = _of_lock(ZLock, "window", "Frames whose heights are averaged for a correction")
    gain: float = _of_lock(ZLock, "gain", "Share of the error that one correction takes away")
    nm_per_um: float = _of_lock(
        ZLock, "nm_per_um", "By how much z falls when the focus goes up by 1 um; not 0"
    )
    min_quality: float = _of_lock(ZLock, "min_quality", "Rows of less quality do not count")
    patience_s: float = _of_lock(
        ZLock, "patience_s", "The lock ends after so long without a height"
    )

    @property
    def lock(self) -> ZLock:
        """The lock that begins with these; of the reference beads, at the height they have then."""
        return ZLock(**self.model_dump())

    @field_validator("nm_per_um")
    @classmethod
    def _not_zero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("0")
        return value


class EngineSettings(Section):
    """Memory, workers and patience of the engine."""

    ring_mb: int = _number(512, "MB", 8, 1_000_000, "Shared memory for frames on their way")
    min_ring_slots: int = _number(
        8, "frames", 4, 100_000, "The frame ring holds at least this many, whatever its size"
    )
    trackers: int = _number(
        0, "processes", 0, 256, "Tracker processes; 0 chooses by the number of cores"
    )
    stall_s: float = _number(
        5.0, "s", 0.5, 600.0, "A worker silent for this long counts as stalled and is restarted"
    )
    start_timeout_s: float = _number(30.0, "s", 1.0, 600.0, "A worker must be ready within this")
    grace_s: float = _number(
        10.0, "s", 0.0, 86_400.0, "With no front end and no recording, the engine ends after this"
    )
    max_restarts: int = _number(
        5, "times", 0, 1000, "A worker that dies more often within the window stays down"
    )
    restart_window_s: float = _number(60.0, "s", 1.0, 86_400.0, "Window in which deaths count")
    status_hz: float = _number(10.0, "Hz", 0.1, 100.0, "Rate at which front ends get the status")
