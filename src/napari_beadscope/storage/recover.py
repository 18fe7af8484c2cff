"""Makes a recording whose writer died complete and readable, and says what is lost.

Owns the repair of files; what is confirmed comes from `confirm`. Knows nothing of the engine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage import tables
from napari_beadscope.storage.confirm import pages_of, pages_present, read_index
from napari_beadscope.storage.gaps import Ledger, runs
from napari_beadscope.storage.layout import LOCK_NAME, movie_files, pages_per_file
from napari_beadscope.storage.lock import WritingLock
from napari_beadscope.storage.manifest import (
    MANIFEST_NAME,
    FileRecord,
    Manifest,
    RangeRecord,
    write_atomic,
)
from napari_beadscope.storage.motor_table import MOTORS_NAME, describe
from napari_beadscope.storage.pixels import file_record
from napari_beadscope.storage.space import Reserve, write_failure
from napari_beadscope.storage.tables import FRAMES, FRAMES_NAME, PROFILES_NAME, TRACKS_NAME
from napari_beadscope.storage.tiff import MovieSpec, finish_movie

_log = logging.getLogger(__name__)
_CUT = "lost: the file was cut short"
_NO_LINE = "lost: its line in frames.csv was damaged"
_INTERRUPTED = "lost: the recording was interrupted"
_BATCH_FRAMES, _BATCH_BYTES = 256, 32 << 20  # what a killed writer leaves without lines, at most


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What `recover` found and did.

    Attributes
    ----------
    folder : Path
    frames_saved, rows_saved : int
        On disk and readable now.
    frames_lost : tuple of RangeRecord
        Every range of frames between the first and the last known one that is not on disk.
    files_repaired : tuple of str
        What was wrong with which file, one clause each; empty when nothing had to be done.
    sentence : str
        All of it for a person.
    """

    folder: Path
    frames_saved: int
    frames_lost: tuple[RangeRecord, ...]
    rows_saved: int
    files_repaired: tuple[str, ...]
    sentence: str


def recover(folder: str | Path) -> RecoveryReport:
    """Repair the recording in `folder`; harmless when nothing is wrong, and repeatable.

    Frames count as saved when frames.csv has their whole line and their pixels are on disk.

    Raises
    ------
    StorageError
        It is not a recording, is still being written, or the disk fails.
    """
    folder = Path(folder).expanduser().absolute()
    if folder.name == MANIFEST_NAME and folder.is_file():
        folder = folder.parent
    manifest = Manifest.load(folder)
    unlocked = not (folder / LOCK_NAME).exists()  # else its writer may have died while ending
    if unlocked and manifest.state != "open" and not _damaged(folder, manifest):
        return _report(folder, manifest, [], "nothing had to be repaired")
    lock = WritingLock.take(folder)
    try:
        manifest = Manifest.load(folder)  # its writer may just have finished
        if manifest.state != "open" and not _damaged(folder, manifest):
            return _report(folder, manifest, [], "nothing had to be repaired")
        _refuse_links(folder, manifest)
        return _repair(folder, manifest)
    except OSError as error:
        raise write_failure(folder, error) from error
    finally:
        lock.release()


def _damaged(folder: Path, manifest: Manifest) -> bool:
    for record in manifest.files:
        path = folder / record.name
        if not path.exists() or path.stat().st_size != record.bytes:
            return True
    return False


def _refuse_links(folder: Path, manifest: Manifest) -> None:
    """Repairing through a link would change a file elsewhere."""
    tables_here = (folder / name for name in (FRAMES_NAME, TRACKS_NAME, PROFILES_NAME, MOTORS_NAME))
    for path in (*tables_here, *(movie for movie, _ in movie_files(folder, manifest))):
        if path.is_symlink():
            raise StorageError(f"{path} is a link", "put the file itself there, then recover")


def _repair(folder: Path, manifest: Manifest) -> RecoveryReport:
    Reserve(folder).give_up()  # makes room for what follows on a full disk
    repaired: list[str] = []
    ledger = Ledger(manifest.gaps, manifest.untracked)
    index, problem = read_index(folder)
    if problem:
        repaired.append(problem)
        for before, after in pairwise(index):
            if before["file"] == after["file"] and after["page"] != before["page"] + 1:
                ledger.note_gap(int(before["frame"]) + 1, int(after["frame"]) - 1, _NO_LINE)
    present = pages_present(folder, manifest, index)
    for first, last in runs(index["frame"][~present]):
        ledger.note_gap(first, last, _CUT)
    unconfirmed = _unconfirmed_pages(folder, manifest, index)
    if not problem and unconfirmed > _batch(manifest):  # a power cut took lines, but not pixels
        problem = f"{FRAMES_NAME} ends {unconfirmed} pages before the movies do"
        repaired.append(problem)
    index = index[present]
    _rewrite_index(folder, index, bool(problem) or not present.all())
    manifest.files = list(_finish_movies(folder, manifest, index, problem, repaired))
    manifest.files.append(file_record(folder / FRAMES_NAME, "frames", len(index)))
    tracked = _repair_tables(folder, manifest, repaired)
    if manifest.calibration.zlut and (folder / manifest.calibration.zlut).exists():
        manifest.files.append(file_record(folder / manifest.calibration.zlut, "zlut", 0))

    ledger.wrote(index["frame"])
    ledger.got_tracks(tracked)
    for first, last in ledger.written - ledger.tracked:
        if manifest.state == "open" and not _noted(manifest.untracked, first, last):
            ledger.note_untracked(first, last, _INTERRUPTED)
    manifest.gaps = ledger.gaps()
    if manifest.mode.tracks and manifest.beads:
        manifest.untracked = ledger.untracked(finished=True)
    manifest.frames_written = len(index)
    manifest.state = "recovered"
    end = _end_sentence(index, unconfirmed)
    manifest.notes.append(f"recovered; {end}")
    manifest.save(folder)
    return _report(folder, manifest, repaired, end)


def _noted(records: Iterable[RangeRecord], first: int, last: int) -> bool:
    return any(row.first <= last and first <= row.last for row in records)


def _unconfirmed_pages(folder: Path, manifest: Manifest, index: np.ndarray) -> int:
    """Return how many whole pages are on disk without a line in frames.csv."""
    count = 0
    for path, spec in movie_files(folder, manifest):
        known = _lines_of(path, manifest, index)
        if path.stat().st_size > spec.file_bytes(known):  # else what follows may be its IFDs
            count = max(0, _whole_pages(path, spec, manifest) - known) + (
                count if manifest.mode.video else 0
            )
    return count


def _lines_of(path: Path, manifest: Manifest, index: np.ndarray) -> int:
    return int((index["file"] == path.name).sum()) if manifest.mode.video else len(index)


def _whole_pages(path: Path, spec: MovieSpec, manifest: Manifest) -> int:
    pages = pages_of(path, spec, manifest)
    return min(pages, pages_per_file(manifest)) if manifest.mode.video else pages


def _batch(manifest: Manifest) -> int:
    return max(1, min(_BATCH_FRAMES, _BATCH_BYTES // manifest.frame_format.nbytes))


def _rewrite_index(folder: Path, index: np.ndarray, damaged: bool) -> None:
    path = folder / FRAMES_NAME
    if damaged:
        parts = [
            tables.format_frames(row["frame"], row["time_s"], str(row["file"][0]), row["page"][0])
            for row in np.split(index, np.flatnonzero(np.diff(index["page"]) != 1) + 1)
            if len(row)
        ]
        write_atomic(path, tables.header(FRAMES) + b"".join(parts).decode())
    else:
        tables.TableWriter(path, tables.header(FRAMES)).close()  # cuts a torn last line off


def _finish_movies(
    folder: Path, manifest: Manifest, index: np.ndarray, problem: str, repaired: list[str]
) -> Iterable[FileRecord]:
    kind = "video" if manifest.mode.video else "roi"
    movies = list(movie_files(folder, manifest))
    on_disk = {path.name: _whole_pages(path, spec, manifest) for path, spec in movies}
    for path, spec in movies:
        known = _lines_of(path, manifest, index)
        # Of pages whose line is damaged nothing is known, but they may be all there is: keep them.
        pages = on_disk[path.name] if problem else min(known, on_disk[path.name])
        if not pages:
            path.unlink()
            repaired.append(f"{path.name} held no whole frame and was removed")
            continue
        if pages < known:
            repaired.append(f"{path.name} was cut short: it has {pages} of {known} frames")
        elif pages > known:
            repaired.append(f"{path.name} keeps {pages - known} pages that no line speaks of")
        _finish_one(path, spec, pages, repaired)
        yield file_record(path, kind, pages)


def _finish_one(path: Path, spec: MovieSpec, pages: int, repaired: list[str]) -> None:
    before = path.stat().st_size
    finish_movie(path, spec, pages)
    if path.stat().st_size != before:
        repaired.append(f"{path.name} was completed with {pages} frames")


def _repair_tables(folder: Path, manifest: Manifest, repaired: list[str]) -> np.ndarray:
    """Cut torn lines off; return the frames that have track rows."""
    for name in (TRACKS_NAME, PROFILES_NAME, MOTORS_NAME):
        path = folder / name
        if path.exists() and (cut := path.stat().st_size - tables.whole_lines_end(path)):
            repaired.append(f"{name} ended in a torn line of {cut} bytes")
            with open(path, "rb+") as file:
                file.truncate(path.stat().st_size - cut)
    if (folder / MOTORS_NAME).exists():
        manifest.files.append(describe(folder / MOTORS_NAME))
    if not manifest.mode.tracks:
        return np.empty(0, np.int64)
    path = folder / TRACKS_NAME
    if not path.exists():
        repaired.append(f"{TRACKS_NAME} was missing")
        tables.TableWriter(path, tables.header(tables.TRACKS)).close()
    try:
        rows = tables.read_table(path, tables.TRACKS)
    except StorageError as error:
        repaired.append(f"{error.what}; it was left as it is")
        _log.warning("%s", error)
        rows = np.empty(0, tables.TRACKS)
    manifest.rows_written = len(rows)
    manifest.files.append(file_record(path, "tracks", len(rows)))
    if (folder / PROFILES_NAME).exists():
        manifest.files.append(file_record(folder / PROFILES_NAME, "profiles", len(rows)))
    return rows["frame"]


def _end_sentence(index: np.ndarray, unconfirmed: int) -> str:
    if not len(index):
        return "no frame was saved"
    last, time_s = int(index["frame"][-1]), float(index["time_s"][-1])
    text = f"the last frame saved is {last} at {time_s:.3f} s, later ones are lost"
    if unconfirmed:
        text += f" ({unconfirmed} of them had reached the disk without their numbers)"
    return text


def _report(folder: Path, manifest: Manifest, repaired: list[str], end: str) -> RecoveryReport:
    gaps = manifest.gaps
    lost = sum(gap.last - gap.first + 1 for gap in gaps)
    shown = ", ".join(
        f"{g.first}" if g.first == g.last else f"{g.first}–{g.last}" for g in gaps[:10]
    )
    more = f" and {len(gaps) - 10} more ranges" if len(gaps) > 10 else ""
    sentence = (
        f"{folder.name}: {manifest.frames_written} frames and {manifest.rows_written} track rows "
        f"are saved; {end}; "
        + (f"{lost} frames in between are missing ({shown}{more})" if lost else "no gaps")
    )
    if repaired:
        sentence += f". {'; '.join(repaired)}"
    return RecoveryReport(
        folder,
        manifest.frames_written,
        tuple(gaps),
        manifest.rows_written,
        tuple(repaired),
        sentence + ".",
    )
