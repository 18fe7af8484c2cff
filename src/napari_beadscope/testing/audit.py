"""Whether a recording is what it says it is: every number and pixel of it against the truth.

Owns the audit that tests and benchmarks share. Knows nothing of engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from napari_beadscope.storage import Recording, open_recording
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME

Render = Callable[[int], np.ndarray]
_RESTART_SEARCH = 5000


def audit(
    folder: str | Path,
    render: Render | None = None,
    *,
    state: str = "complete",
    restarts: int = 0,
    every: int = 1,
) -> list[str]:
    """Return everything that is wrong with a recording, one sentence each; empty if nothing is.

    Parameters
    ----------
    folder : path
        The recording.
    render : callable, optional
        Returns the camera's frame ``(y, x)`` by the camera's number, to compare pixels with.
    state : str
        What the manifest must say.
    restarts : int
        How often the camera may have begun to count anew, which shows as an offset.
    every : int
        Compare the pixels of every so many frames.
    """
    recording = open_recording(folder)
    wrong = []
    if recording.manifest.state != state:
        wrong.append(f"the state is {recording.manifest.state}, not {state}")
    wrong += _files(recording) if state != "open" else []
    wrong += _frames(recording)
    if recording.manifest.mode.tracks:
        wrong += _tracks(recording)
    if render is not None:
        wrong += _pixels(recording, render, restarts, every)
    return wrong


def numbers_in(ranges: Iterable) -> set[int]:
    """Return the frame numbers in ranges with ``first`` and ``last``, both included."""
    return {n for item in ranges for n in range(item.first, item.last + 1)}


def _files(recording: Recording) -> list[str]:
    wrong = []
    listed = {record.name: record for record in recording.manifest.files}
    unlisted = {"recording.yaml", ANNOTATIONS_NAME}  # annotations may change at any time
    present = {path.name for path in recording.folder.iterdir()} - unlisted
    if present != set(listed):
        wrong.append(f"files {sorted(present)} are there, {sorted(listed)} are listed")
    for record in listed.values():
        path = recording.folder / record.name
        if path.exists() and path.stat().st_size != record.bytes:
            wrong.append(f"{record.name} has {path.stat().st_size} bytes, not {record.bytes}")
    video = sum(record.frames for record in listed.values() if record.kind == "video")
    if recording.manifest.mode.video and video != len(recording.index):
        wrong.append(f"the video files have {video} frames, the index {len(recording.index)}")
    return wrong


def _frames(recording: Recording) -> list[str]:
    wrong = []
    numbers, manifest = recording.frame_numbers, recording.manifest
    if len(numbers) != manifest.frames_written and manifest.state != "open":
        wrong.append(f"{len(numbers)} frames are there, {manifest.frames_written} were written")
    if len(numbers) and numbers[0] != 0:
        wrong.append(f"the first frame is {numbers[0]}")
    if (np.diff(numbers) < 1).any() or (np.diff(recording.times_s) <= 0).any():
        wrong.append("frames are not in order")
    written = set(numbers.tolist())
    missing = set(range(max(written, default=-1) + 1)) - written
    named = numbers_in(recording.gaps)
    if named - written != named or not missing <= named:
        wrong.append(f"frames {_short(missing ^ named)} are missing or named, not both")
    return wrong


def _tracks(recording: Recording) -> list[str]:
    wrong = []
    rows, beads = recording.tracks, [bead.bead for bead in recording.beads]
    pairs = np.stack([rows["frame"], rows["bead"]], axis=1)
    unique = np.unique(pairs, axis=0)
    if len(unique) != len(pairs):
        wrong.append(f"{len(pairs) - len(unique)} track rows are there twice")
    written = set(recording.frame_numbers.tolist())
    whole, counts = np.unique(unique[:, 0], return_counts=True)
    partial = set(whole[counts != len(beads)].tolist())
    if partial:
        wrong.append(f"frames {_short(partial)} have rows for some of the beads only")
    tracked = set(whole.tolist())
    if tracked - written:
        wrong.append(f"frames {_short(tracked - written)} are tracked but not written")
    named = numbers_in(recording.untracked)
    if beads and recording.manifest.state != "open" and named != written - tracked:
        wrong.append(
            f"frames {_short(named ^ (written - tracked))} are untracked or named, not both"
        )
    if recording.manifest.state != "open" and recording.manifest.rows_written != len(rows):
        wrong.append(f"{len(rows)} rows are there, {recording.manifest.rows_written} were written")
    return wrong


def _pixels(recording: Recording, render: Render, restarts: int, every: int) -> list[str]:
    manifest = recording.manifest
    if not (manifest.mode.video or manifest.mode.rois) or not len(recording.index):
        return []
    offset, wrong = 0, []
    movies = {bead.bead: recording.roi_movie(bead.bead) for bead in _beads_kept(recording)}
    for place, frame in enumerate(recording.frame_numbers[:: max(1, every)].tolist()):
        page = place * max(1, every)
        number = (manifest.first_frame or 0) + frame
        if _same(recording, movies, page, render(number - offset)):
            continue
        found = _offset_after_restart(recording, movies, page, render) if restarts else None
        if found is None:
            wrong.append(frame)
        else:
            restarts, offset = restarts - 1, number - found
    return [f"the pixels of frames {_short(wrong)} are wrong"] if wrong else []


def _beads_kept(recording: Recording) -> tuple:
    return recording.beads if recording.manifest.mode.rois else ()


def _same(recording: Recording, movies: dict, page: int, expected: np.ndarray) -> bool:
    if recording.manifest.mode.video:
        return np.array_equal(recording.frames[page], expected)
    return all(
        np.array_equal(movies[bead.bead][page], bead.roi.crop(expected)) for bead in recording.beads
    )


def _offset_after_restart(
    recording: Recording, movies: dict, page: int, render: Render
) -> int | None:
    """Return the number that a camera which counts anew gives to the frame on a page."""
    for number in range(_RESTART_SEARCH):  # counts anew from 0
        if _same(recording, movies, page, render(number)):
            return number
    return None


def _short(numbers: Iterable[int]) -> str:
    ordered = sorted(numbers)
    return f"{ordered[:8]}{f' and {len(ordered) - 8} more' if len(ordered) > 8 else ''}"
