"""Validated settings: every field with its unit, range, default and meaning.

Owns the names and limits of what a user may set. Knows nothing of files: `storage.settings_file`
reads and writes them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_beadscope.core.errors import InputError, SettingsError
from napari_beadscope.core.types import METHODS, AcquisitionMode


def _number(default: Any, unit: str, low: float, high: float, meaning: str) -> Any:
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra={"unit": unit})


def _other(default: Any, meaning: str, choices: str = "") -> Any:
    return Field(
        default, description=meaning, json_schema_extra={"unit": "", "allowed": choices or ""}
    )


class _Section(BaseModel):
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


class CameraSettings(_Section):
    """Which camera, and how it is set up before streaming."""

    id: str = _other("simulated", "Camera to open, as listed by `beadscope cameras`")
    exposure_ms: float | None = _number(
        None, "ms", 0.001, 60_000.0, "Exposure time of one frame; none leaves it to the camera"
    )
    fps: float | None = _number(
        None, "frames/s", 0.001, 100_000.0, "Frame rate asked for; none leaves it to the camera"
    )
    properties: dict[str, float | str] = Field(
        default_factory=dict,
        description="Further camera properties by name, set when the camera is opened",
        json_schema_extra={"unit": "", "allowed": "name: value pairs the camera knows"},
    )


class TrackingSettings(_Section):
    """How beads are tracked."""

    backend: str = _other("auto", "Tracking backend", "auto, or a name listed by `beadscope info`")
    method: Literal["precise", "magtrack-compatible"] = _other(
        METHODS[0],
        "How a position is found: `precise`, or `magtrack-compatible` for the numbers of MagScope",
        ", ".join(METHODS),
    )
    roi_size_px: int = _number(
        64, "px", 8, 256, "Edge of the ROI of beads that are listed, not found"
    )
    nm_per_px: float = _number(100.0, "nm/px", 0.1, 100_000.0, "Size of a pixel in the sample")
    zlut: str = _other("", "Z-LUT file in MagTrack's layout; empty for no z", "path or empty")
    profiles: bool = _other(True, "Carry each bead's radial profile with its track row")


class RecordingSettings(_Section):
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


class EngineSettings(_Section):
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


class Settings(_Section):
    """All settings of the product, immutable.

    Use `Settings.from_dict` and `Settings.replace` for values that come from people: they raise
    `SettingsError` with one clear sentence.

    Examples
    --------
    >>> Settings().tracking.roi_size_px
    64
    >>> Settings().replace({"tracking.roi_size_px": 48}).tracking.roi_size_px
    48
    """

    camera: CameraSettings = CameraSettings()
    tracking: TrackingSettings = TrackingSettings()
    recording: RecordingSettings = RecordingSettings()
    engine: EngineSettings = EngineSettings()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """Return settings from nested sections, defaults where nothing is given.

        Raises
        ------
        SettingsError
            Names the field, the value and what is allowed.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise settings_error(error) from None

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with dotted `changes` such as ``{"engine.ring_mb": 1024}``.

        Raises
        ------
        SettingsError
            Names the field, the value and what is allowed.
        """
        data = self.to_dict()
        for name, value in changes.items():
            section, _, field = name.partition(".")
            if not field or section not in data:
                raise SettingsError(f"there is no setting '{name}'", suggestion(name))
            data[section][field] = value
        return type(self).from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested values, ready for YAML or JSON."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One row of the settings reference: dotted name, unit, allowed values, default, meaning."""

    name: str
    unit: str
    range: str
    default: Any
    description: str


def describe(model: type[BaseModel] = Settings, prefix: str = "") -> tuple[SettingInfo, ...]:
    """List every setting of `model` with unit, range, default and meaning.

    Examples
    --------
    >>> [row.range for row in describe(Settings) if row.name == "tracking.roi_size_px"]
    ['8 to 256']
    """
    rows: list[SettingInfo] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            rows.extend(describe(kind, f"{prefix}{name}."))
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = field.get_default(call_default_factory=True)
        rows.append(
            SettingInfo(
                name=f"{prefix}{name}",
                unit=str(extra.get("unit", "")),
                range=_allowed(field, str(extra.get("allowed", ""))),
                default=default.value if isinstance(default, AcquisitionMode) else default,
                description=field.description or "",
            )
        )
    return tuple(rows)


def _allowed(field: Any, allowed: str) -> str:
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if low is not None and high is not None:
        return f"{low:.10g} to {high:.10g}" + (", or none" if field.default is None else "")
    if allowed:
        return allowed
    if field.annotation is bool:
        return "true or false"
    if field.annotation is AcquisitionMode:
        return ", ".join(mode.value for mode in AcquisitionMode)
    return "text"


def suggestion(name: str) -> str:
    """Return 'did you mean …' for a mistyped dotted setting name, or where to find the list."""
    known = [row.name for row in describe(Settings)] + list(Settings.model_fields)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else "see the settings reference for all names"


def settings_error(error: ValidationError, where: str = "") -> SettingsError:
    """Return the first problem in `error` as one sentence with field, value and range.

    Parameters
    ----------
    error : pydantic.ValidationError
        Raised by validating `Settings`.
    where : str
        Put in front, such as a file and line.
    """
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][:2])
    lead = f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        return SettingsError(f"{lead}there is no setting '{name}'", suggestion(name))
    value = first["input"]
    row = next((row for row in describe(Settings) if row.name == name), None)
    if row is None:
        return SettingsError(
            f"{lead}'{name}' must be a section of settings, not {value!r}",
            "give its settings as indented 'name: value' lines",
        )
    unit = f" in {row.unit}" if row.unit else ""
    return SettingsError(
        f"{lead}'{name}' cannot be {value!r}",
        f"allowed is {row.range}{unit} (default {row.default})",
    )
