"""The text tables of a recording: frames.csv, tracks.csv, profiles.csv.

Owns their columns, their bulk formatting and parsing, and the rule that only lines that end in a
newline count. Knows nothing of when they are written.

Missing numbers are written ``nan``. Positions in nm have 3 decimals (pm), in px 5; times have 6
decimals (µs).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage.appending import check_untouched, cut_file, write_all

FRAMES_NAME, TRACKS_NAME, PROFILES_NAME = "frames.csv", "tracks.csv", "profiles.csv"

#: frames.csv. `page` counts in `file`; with no file it counts in every bead's movie.
FRAMES = np.dtype([("frame", "<i8"), ("time_s", "<f8"), ("file", "<U24"), ("page", "<i8")])

#: tracks.csv: one bead in one frame; px are full-frame coordinates. `reason` is a
#: `core.types.Reason`: 0 for a row that can be trusted.
TRACKS = np.dtype(
    [
        ("frame", "<i8"),
        ("time_s", "<f8"),
        ("bead", "<i4"),
        ("x_nm", "<f8"),
        ("y_nm", "<f8"),
        ("z_nm", "<f8"),
        ("x_px", "<f8"),
        ("y_px", "<f8"),
        ("quality", "<f4"),
        ("reason", "<i4"),
    ]
)
#: One line of tracks.csv.
TRACK_LINE = "%d,%.6f,%d,%.3f,%.3f,%.3f,%.5f,%.5f,%.4f,%d\n"
_FRAME_LINE = "%d,%.6f,%s,%d\n"
_NEWLINE = ord("\n")


def header(dtype: np.dtype) -> str:
    """Return the first line of a table of that type."""
    return ",".join(dtype.names or ()) + "\n"


def profile_header(bins: int) -> str:
    """Return the first line of profiles.csv with that many radial bins."""
    return ",".join(["frame", "bead", *(f"r{i}" for i in range(bins))]) + "\n"


def format_frames(frame: np.ndarray, time_s: np.ndarray, file: str, first_page: int) -> bytes:
    """Return lines of frames.csv for consecutive pages of one file."""
    pages = range(first_page, first_page + len(frame))
    rows = zip(frame.tolist(), time_s.tolist(), [file] * len(frame), pages)
    return (_FRAME_LINE * len(frame) % tuple(chain.from_iterable(rows))).encode()


def format_tracks(
    rows: np.ndarray, first_frame: int, first_time_ns: int, nm_per_px: float
) -> bytes:
    """Return lines of tracks.csv for `rows` of `TRACK_ROW`.

    One formatting operation for all rows: about 2 µs a row.
    """
    columns = [
        rows["frame"] - first_frame,
        (rows["time_ns"] - first_time_ns) * 1e-9,
        rows["bead"],
        rows["x_px"] * nm_per_px,
        rows["y_px"] * nm_per_px,
        rows["z_nm"],
        rows["x_px"],
        rows["y_px"],
        rows["quality"],
        rows["reason"],
    ]
    flat = chain.from_iterable(zip(*(column.tolist() for column in columns)))
    return (TRACK_LINE * len(rows) % tuple(flat)).encode()


def format_profiles(rows: np.ndarray, first_frame: int, bins: int) -> bytes:
    """Return lines of profiles.csv with `bins` values each; ``nan`` where a row has fewer."""
    values = rows["profile"][:, :bins].astype(np.float64)
    values[np.arange(bins) >= rows["n_radial"][:, None]] = np.nan
    line = "%d,%d" + ",%.6g" * bins + "\n"
    heads = zip((rows["frame"] - first_frame).tolist(), rows["bead"].tolist())
    flat = chain.from_iterable(chain.from_iterable(zip(heads, values.tolist())))
    return (line * len(rows) % tuple(flat)).encode()


class TableWriter:
    """A text table that is appended to, straight to the system, whole lines at a time."""

    def __init__(self, path: Path, first_line: str) -> None:
        """Open `path`, new or to go on after its last whole line."""
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._fd: int | None = os.open(path, flags, 0o644)
        try:
            self._end = 0
            self.cut_back(whole_lines_end(path))
            if self._end == 0:
                self.append(first_line.encode())
        except OSError:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._end

    def append(self, lines: bytes) -> None:
        """Write `lines`; when that fails, leave the file as it was.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        check_untouched(self._open_fd, self._end)
        try:
            write_all(self._open_fd, [lines] if lines else [])
        except OSError:
            self.cut_back(self._end)
            raise
        self._end += len(lines)

    def cut_back(self, size: int) -> None:
        """Forget everything after the first `size` bytes."""
        cut_file(self._open_fd, size)
        self._end = size

    def sync(self) -> None:
        """Wait until everything is on the disk itself."""
        os.fsync(self._open_fd)

    def close(self) -> None:
        """Close the file; twice is fine."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    @property
    def _open_fd(self) -> int:
        if self._fd is None:
            raise ValueError(f"{self.path} is closed")
        return self._fd


def open_profiles(folder: Path, bins: int, rows: int) -> tuple[TableWriter, int]:
    """Open profiles.csv after its first `rows` rows; return it and its number of radial bins.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path = folder / PROFILES_NAME
    table = TableWriter(path, profile_header(bins))
    with open(path, "rb") as file:
        columns = file.readline().count(b",") + 1
    for at, lines in _line_blocks(path):
        ends = np.flatnonzero(lines == _NEWLINE)
        if rows < len(ends):  # its track rows never reached the disk
            table.cut_back(at + (int(ends[rows - 1]) + 1 if rows else 0))
            break
        rows -= len(ends)
    return table, columns - 2


def row_keys(frame: np.ndarray, bead: np.ndarray) -> np.ndarray:
    """Return one int64 for each (frame, bead)."""
    return frame.astype(np.int64) << 32 | bead.astype(np.int64)


def newest_row_keys(path: Path, block: int = 1 << 23) -> np.ndarray:
    """Return `row_keys` of the newest rows of tracks.csv, about a hundred thousand."""
    try:
        end = whole_lines_end(path)
    except FileNotFoundError:
        return np.empty(0, np.int64)
    with open(path, "rb") as file:
        file.seek(max(0, end - block))
        text = file.read(min(end, block))
    lines = text[text.find(b"\n") + 1 :]  # the first is the header, or cut
    if not lines:
        return np.empty(0, np.int64)
    rows = np.loadtxt(io.BytesIO(lines), np.int64, delimiter=",", usecols=(0, 2), ndmin=2)
    return row_keys(rows[:, 0], rows[:, 1])


def first_numbers(path: Path) -> Iterator[np.ndarray]:
    """Yield the first column of a table of any length, block by block; nothing for no file.

    Only for tables of our own that begin with a whole number: about a second for 10⁷ rows.
    """
    for _, lines in _line_blocks(path):
        ends = np.flatnonzero(lines == _NEWLINE)
        at = np.concatenate([[0], ends[:-1] + 1])
        numbers = np.zeros(len(at), np.int64)
        inside = np.ones(len(at), bool)
        while inside.any():
            digit = lines[at] - np.uint8(ord("0"))  # wraps: anything but a digit is above 9
            inside &= digit <= 9
            numbers[inside] = numbers[inside] * 10 + digit[inside]
            at = at + inside
        yield numbers


def _line_blocks(path: Path, block: int = 1 << 24) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``(position, bytes)`` of runs of whole lines after the header."""
    try:
        end = whole_lines_end(path)
    except FileNotFoundError:
        return
    with open(path, "rb") as file:
        at = len(file.readline())
        while at < end:
            file.seek(at)
            text = file.read(min(block, end - at))
            text = text[: text.rfind(b"\n") + 1]
            if not text:
                raise ValueError(f"{path} has a line of more than {block} bytes")
            yield at, np.frombuffer(text, np.uint8)
            at += len(text)


def whole_lines_end(path: Path, block: int = 1 << 16) -> int:
    """Return the position after the last newline in the file, 0 when there is none."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - block)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def read_table(path: Path, dtype: np.dtype) -> np.ndarray:
    """Return the whole lines of a table as a structured array; empty when there is no file.

    Raises
    ------
    StorageError
        The header or a line is not what the table's type says.
    """
    try:
        end = whole_lines_end(path)
        with open(path, "rb") as file:
            first = file.readline() if end else b""
            if end and first != header(dtype).encode():
                raise StorageError(
                    f"{path} does not begin with the columns {header(dtype).strip()}",
                    "restore the file, or run `beadscope recover` on its folder",
                )
            if end <= len(first):
                return np.empty(0, dtype)
            size = os.fstat(file.fileno()).st_size
            text = io.BytesIO(file.read(end - len(first))) if end < size else file
            return np.loadtxt(text, dtype, delimiter=",", comments=None, ndmin=1, encoding="utf-8")
    except FileNotFoundError:
        return np.empty(0, dtype)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be read ({error})", "run `beadscope recover` on its folder"
        ) from None


def read_profiles(path: Path) -> np.ndarray:
    """Return profiles.csv as ``(rows, 2 + bins)`` float64: frame, bead, then the profile."""
    try:
        end = whole_lines_end(path)
    except FileNotFoundError:
        return np.empty((0, 2))
    with open(path, "rb") as file:
        first = file.readline()
        columns = first.count(b",") + 1 if end else 2
        if end <= len(first):
            return np.empty((0, columns))
        text = io.BytesIO(file.read(end - len(first)))
    return np.loadtxt(text, delimiter=",", comments=None, ndmin=2)
