"""What of an unfinished recording is confirmed: the lines of frames.csv whose pixels exist.

Reads only. Knows nothing of repairing or going on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage import tables
from napari_beadscope.storage.layout import (
    bead_name,
    bead_spec,
    pages_per_file,
    video_name,
    video_spec,
)
from napari_beadscope.storage.manifest import Manifest
from napari_beadscope.storage.tables import FRAMES, FRAMES_NAME, TRACKS_NAME
from napari_beadscope.storage.tiff import MovieSpec, pages_on_disk


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a killed writer had come to, in frame numbers of the recording."""

    frames: np.ndarray  # (n,) int64, written
    tracked: np.ndarray  # (m,) int64, ascending, with a row in tracks.csv
    rows: int


def read_resume_point(folder: Path, manifest: Manifest) -> ResumePoint:
    """Return what is on disk, fast: a recorder is waiting.

    Raises
    ------
    ValueError
        frames.csv is not what a killed writer leaves.
    """
    path = folder / FRAMES_NAME
    if not path.exists():
        if any(folder.glob("*.ome.tif")):
            raise ValueError(f"{path} is missing")
        return ResumePoint(np.empty(0, np.int64), np.empty(0, np.int64), 0)  # killed in `create`
    blocks = list(tables.first_numbers(path))
    frames = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
    if len(frames):
        if (np.diff(frames) < 1).any():
            raise ValueError(f"the frames of {path} are out of order")
        wanted = ("", len(frames) - 1)
        if manifest.mode.video:
            number, page = divmod(len(frames) - 1, pages_per_file(manifest))
            wanted = (video_name(number), page)
        if _last_place(path) != wanted:
            raise ValueError(f"{path} does not match the video files")
    tracked, rows = [np.empty(0, np.int64)], 0
    for numbers in tables.first_numbers(folder / TRACKS_NAME):
        tracked.append(np.unique(numbers))
        rows += len(numbers)
    return ResumePoint(frames, np.unique(np.concatenate(tracked)), rows)


def _last_place(path: Path) -> tuple[str, int]:
    end = tables.whole_lines_end(path)
    with open(path, "rb") as file:
        file.seek(max(0, end - 200))
        line = file.read(min(end, 200)).decode().splitlines()[-1]
    _, _, name, page = line.split(",")
    return name, int(page)


def read_index(folder: Path) -> tuple[np.ndarray, str]:
    """Return the sound lines of frames.csv as `FRAMES` rows, and what is wrong with the others.

    The second value is '' when nothing is: a torn last line is what every killed writer may leave.
    """
    path = folder / FRAMES_NAME
    if not path.exists():
        return np.empty(0, FRAMES), f"{FRAMES_NAME} is missing"
    damaged = 0
    if not tables.whole_lines_end(path):  # its header is written before the first pixel
        return np.empty(0, FRAMES), f"{FRAMES_NAME} is empty"
    try:
        rows = tables.read_table(path, FRAMES)
    except StorageError:
        rows, damaged = _readable_rows(path)
    newest = np.maximum.accumulate(rows["frame"])
    sound = np.append(True, rows["frame"][1:] > newest[:-1])[: len(rows)]
    damaged += int((~sound).sum())
    return rows[sound], f"{damaged} lines of {FRAMES_NAME} are damaged" if damaged else ""


def _readable_rows(path: Path) -> tuple[np.ndarray, int]:
    """Return the lines that can be understood, and how many can not."""
    rows, damaged = [], 0
    with open(path, "rb") as file:
        lines = file.read(tables.whole_lines_end(path)).splitlines()
    for line in lines[1:] if lines[:1] == [tables.header(FRAMES).encode().strip()] else lines:
        try:
            frame, time_s, name, page = line.decode("ascii").split(",")
            rows.append(np.array((int(frame), float(time_s), name, int(page)), FRAMES))
        except (ValueError, OverflowError):
            damaged += 1
    return np.array(rows, FRAMES), damaged


def pages_of(path: Path, spec: MovieSpec, manifest: Manifest) -> int:
    """Return how many pages a movie file has at most: by its size, and once finished by record."""
    pages = pages_on_disk(path, spec)
    if manifest.state != "open":
        pages = min([pages, *(file.frames for file in manifest.files if file.name == path.name)])
    return pages


def pages_present(folder: Path, manifest: Manifest, index: np.ndarray) -> np.ndarray:
    """Return for each row of `index` whether its pixels are on disk, ``(n,)`` bool.

    A frame of ROI movies counts as present when at least one bead has it.
    """
    if manifest.mode.video:
        spec, present = video_spec(manifest), np.zeros(len(index), bool)
        for name in np.unique(index["file"]):
            here = index["file"] == name
            present[here] = index["page"][here] < pages_of(folder / str(name), spec, manifest)
        return present
    if manifest.mode.rois:
        pages = max(
            pages_of(folder / bead_name(bead.bead), bead_spec(manifest, bead), manifest)
            for bead in manifest.beads
        )
        return index["page"] < pages
    return np.ones(len(index), bool)
