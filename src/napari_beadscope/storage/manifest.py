"""recording.yaml: what a recording is, what it holds and what it lacks.

Owns the schema and its atomic reading and writing. Knows nothing of pixels.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import AcquisitionMode, Bead, Calibration, FrameFormat, Roi

SCHEMA_VERSION = 1
MANIFEST_NAME = "recording.yaml"
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

State = Literal["open", "complete", "recovered"]
Kind = Literal["video", "roi", "frames", "tracks", "profiles", "zlut", "motors"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class CameraRecord(_Part):
    """Which camera, and its properties when recording began."""

    id: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)


class FormatRecord(_Part):
    """Size and type of a full frame."""

    height_px: int = Field(ge=1)
    width_px: int = Field(ge=1)
    dtype: Literal["uint8", "uint16"]


class CalibrationRecord(_Part):
    """How pixels became nanometres; `zlut` is the name of the copy inside the recording."""

    nm_per_px: float = Field(default=100.0, gt=0)
    zlut: str = ""


class BeadRecord(_Part):
    """A bead and its ROI: rows ``[y0, y0 + size)``, columns ``[x0, x0 + size)``, in px."""

    bead: int
    y0: int
    x0: int
    size: int = Field(ge=1)


class ClockRecord(_Part):
    """One instant on both clocks, so monotonic times can be turned into UTC."""

    utc: str
    monotonic_ns: int


class FileRecord(_Part):
    """A file of the recording; `frames` counts pages, or rows of a table."""

    name: str
    kind: Kind
    frames: int = 0
    bytes: int = 0


class RangeRecord(_Part):
    """Frames `first` to `last`, both included, and why they are missing or have no tracks."""

    first: int
    last: int
    cause: str


class Manifest(_Part):
    """Everything about a recording but its data.

    Frame numbers count from the first frame of the recording (``frame`` of frames.csv), whose
    number at the camera is `first_frame`.
    """

    schema_version: int = SCHEMA_VERSION
    software: str = ""
    state: State = "open"
    name: str = ""
    mode: AcquisitionMode
    camera: CameraRecord = CameraRecord()
    format: FormatRecord
    fps: float = Field(default=0.0, ge=0)
    backend: str = ""
    method: str = ""
    calibration: CalibrationRecord = CalibrationRecord()
    beads: list[BeadRecord] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    started_utc: str = ""
    clock: ClockRecord | None = None
    profiles: bool = False
    video_file_bytes: int = Field(default=4_000_000_000, ge=1)
    min_free_bytes: int = Field(default=0, ge=0)
    first_frame: int | None = None
    first_time_ns: int | None = None
    frames_written: int = 0
    rows_written: int = 0
    files: list[FileRecord] = Field(default_factory=list)
    gaps: list[RangeRecord] = Field(default_factory=list)
    untracked: list[RangeRecord] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @classmethod
    def new(
        cls,
        *,
        mode: AcquisitionMode | str,
        format: FrameFormat,
        beads: Sequence[Bead] = (),
        calibration: Calibration = Calibration(),  # noqa: B008 - frozen
        fps: float = 0.0,
        camera_id: str = "",
        camera_properties: Mapping[str, Any] | None = None,
        backend: str = "",
        method: str = "",
        settings: Mapping[str, Any] | None = None,
        name: str = "",
        profiles: bool = False,
    ) -> Manifest:
        """Describe a recording that is about to begin, with the clocks read now.

        `calibration.zlut` is a path; `RecordingWriter.create` copies the file in.
        """
        from napari_beadscope import __version__

        utc = datetime.now(UTC).isoformat(timespec="microseconds")
        return cls(
            software=f"napari-beadscope {__version__}",
            name=name,
            mode=AcquisitionMode(mode),
            camera=CameraRecord(id=camera_id, properties=dict(camera_properties or {})),
            format=FormatRecord.model_validate(asdict(format)),
            fps=fps,
            backend=backend,
            method=method,
            calibration=CalibrationRecord(nm_per_px=calibration.nm_per_px, zlut=calibration.zlut),
            beads=[
                BeadRecord(bead=b.bead, y0=b.roi.y0, x0=b.roi.x0, size=b.roi.size) for b in beads
            ],
            settings=dict(settings or {}),
            started_utc=utc,
            clock=ClockRecord(utc=utc, monotonic_ns=monotonic_ns()),
            profiles=profiles,
        )

    @property
    def frame_format(self) -> FrameFormat:
        """Size and type of a full frame."""
        return FrameFormat(self.format.height_px, self.format.width_px, self.format.dtype)

    @property
    def bead_list(self) -> tuple[Bead, ...]:
        """The beads with their ROIs."""
        return tuple(Bead(b.bead, Roi(b.y0, b.x0, b.size)) for b in self.beads)

    def save(self, folder: Path, *, sync: bool = True) -> None:
        """Replace recording.yaml of `folder` in one step.

        Parameters
        ----------
        folder : Path
            The recording.
        sync : bool
            Also wait until it is on the disk itself, so that it survives a power cut.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        text = yaml.dump(
            self.model_dump(mode="json", fallback=str, exclude={"gaps", "untracked"}),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=120,
        )
        text += _range_lines("gaps", self.gaps) + _range_lines("untracked", self.untracked)
        try:
            write_atomic(folder / MANIFEST_NAME, text, sync=sync)
        except OSError as error:
            raise StorageError(
                f"cannot write {folder / MANIFEST_NAME} ({error.strerror})",
                "check free space and permissions",
            ) from error

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read recording.yaml of `folder`.

        Raises
        ------
        StorageError
            There is none, it is not a manifest, or it is of a newer version.
        """
        path = folder / MANIFEST_NAME
        data = _read_yaml(folder, path)
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StorageError(
                f"{path} has schema version {version!r}, this software reads {SCHEMA_VERSION}",
                "open it with the version of napari-beadscope that wrote it "
                f"({data.get('software') or 'unknown'})",
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise StorageError(
                f"{path} is not a valid manifest: '{name}' {first['msg'].lower()}",
                "restore the file from a backup",
            ) from None


def _range_lines(name: str, rows: Sequence[RangeRecord]) -> str:
    """Return YAML, for which PyYAML would take 50 times as long: there may be very many."""
    if not rows:
        return f"{name}: []\n"
    lines = []
    for row in rows:
        cause = json.dumps(row.cause, ensure_ascii=False)
        lines.append(f"- {{first: {row.first}, last: {row.last}, cause: {cause}}}\n")
    return f"{name}:\n" + "".join(lines)


def _read_yaml(folder: Path, path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise StorageError(
            f"{folder} is not a recording (no {MANIFEST_NAME})",
            f"give the folder that holds {MANIFEST_NAME}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path} ({error})", "check the file") from None
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise StorageError(
            f"{path} is not valid YAML{where}", "restore the file from a backup"
        ) from None
    except (ValueError, RecursionError) as error:  # no such date, a number without end, ...
        raise StorageError(
            f"{path} holds a value that is none ({error})", "restore the file from a backup"
        ) from None
    if not isinstance(data, dict) or "schema_version" not in data:
        raise StorageError(
            f"{path} is not the manifest of a recording", "give the folder of a recording"
        )
    return data


def write_atomic(path: Path, text: str, *, sync: bool = True) -> None:
    """Write `text` to `path` so that a reader sees either the old file or the whole new one.

    Raises
    ------
    OSError
        Nothing at `path` has changed.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names created in `folder` survive a power cut, where the system can."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
