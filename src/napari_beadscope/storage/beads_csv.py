"""Bead lists as text: ``bead,y_px,x_px``, full-frame pixels with centres at integers.

A list of beads that were found has ``radius_px,score,isolated`` as well; readers ignore those.

Owns the format and its error messages. Knows nothing of how beads are found.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import MAX_BEAD, Bead, Roi
from napari_beadscope.storage.manifest import write_atomic

_NAMED = 3  # in a message
_COLUMNS = ("bead", "y_px", "x_px")
#: Of a list of beads that were found.
FOUND_COLUMNS = (*_COLUMNS, "radius_px", "score", "isolated")


@dataclass(frozen=True, slots=True)
class BeadPoint:
    """Where a bead is, px."""

    bead: int
    y_px: float
    x_px: float


def read_points(path: str | Path) -> tuple[BeadPoint, ...]:
    """Read a bead list. Further columns are ignored, their order is free.

    Raises
    ------
    InputError
        Names the file, line and column, and what is expected.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = [name.strip() for name in next(lines, [])]
            missing = [name for name in _COLUMNS if name not in header]
            if missing:
                raise InputError(
                    f"{path} line 1 lacks the column '{missing[0]}'",
                    f"begin the file with the line {','.join(_COLUMNS)}",
                )
            at = [header.index(name) for name in _COLUMNS]
            points = [_point(path, lines.line_num, row, at) for row in lines if any(row)]
    except FileNotFoundError:
        raise InputError(f"there is no bead list {path}", "check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as a bead list ({error})", "give a CSV text file"
        ) from None
    if not points:
        raise InputError(f"{path} lists no bead", "add a line for each bead")
    seen: set[int] = set()
    for point in points:
        if point.bead in seen:
            raise InputError(
                f"{path} lists bead {point.bead} twice", "give each bead a number of its own"
            )
        seen.add(point.bead)
    return tuple(points)


def is_bead_list(path: str | Path) -> bool:
    """Return whether a file begins with the columns of a bead list, and has no frames."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header = [name.strip() for name in next(csv.reader([file.readline(10_000)]), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return all(name in header for name in _COLUMNS) and "frame" not in header


def _point(path: Path, line: int, row: Sequence[str], at: Sequence[int]) -> BeadPoint:
    values: list[float] = []
    for name, place in zip(_COLUMNS, at):
        text = row[place].strip() if place < len(row) else ""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (
            name == "bead" and not (0 <= value <= MAX_BEAD and value == int(value))
        ):
            wanted = f"a whole number from 0 to {MAX_BEAD}" if name == "bead" else "a number"
            raise InputError(
                f"{path} line {line}, column '{name}': '{text}' is not {wanted}", "correct it"
            )
        values.append(value)
    return BeadPoint(int(values[0]), values[1], values[2])


def read_beads(
    path: str | Path, size_px: int, shape: tuple[int, int] | None = None
) -> tuple[Bead, ...]:
    """Read a bead list as beads with ROIs of `size_px` around their positions.

    Parameters
    ----------
    path : path
        File with the columns ``bead,y_px,x_px``.
    size_px : int
        Edge of the ROIs.
    shape : (y, x), optional
        Size of the frame, px, that every ROI must be inside of.

    Raises
    ------
    InputError
        Names the line, the column or the bead.
    """
    points = read_points(path)
    beads = tuple(Bead(p.bead, Roi.around(p.y_px, p.x_px, size_px)) for p in points)
    if shape is not None:
        check_inside(beads, shape, str(path), {p.bead: (p.y_px, p.x_px) for p in points})
    return beads


def check_inside(
    beads: Iterable[Bead],
    shape: tuple[int, int],
    where: str = "",
    given: Mapping[int, tuple[float, float]] | None = None,
) -> None:
    """Refuse beads whose ROI leaves a frame of `shape` ``(y, x)`` px.

    Parameters
    ----------
    beads : iterable of Bead
        Those to check.
    shape : (y, x)
        Size of the frame, px.
    where : str
        Put in front of the message, such as a file.
    given : mapping, optional
        Of bead to ``(y, x)`` as the user gave it, px; default the ROI's centre.

    Raises
    ------
    InputError
        Says how many there are, names the first few of them and the frame.
    """
    outside = [bead for bead in beads if not bead.roi.inside(shape)]
    if not outside:
        return
    places = {bead.bead: bead.roi.centre_px for bead in outside} | dict(given or {})
    named = [
        f"bead {one.bead} at y {places[one.bead][0]:g}, x {places[one.bead][1]:g}"
        for one in outside[:_NAMED]
    ]
    more = f" and {len(outside) - _NAMED} more" if len(outside) > _NAMED else ""
    frame = f"the frame of {shape[0]} × {shape[1]} px"
    size = outside[0].roi.size
    if len(outside) == 1:
        what = f"the ROI of {named[0]} ({size} px) leaves {frame}"
    else:
        what = f"the ROIs of {len(outside)} beads ({size} px) leave {frame}: "
        what += "; ".join(named) + more
    raise InputError(
        f"{where + ': ' if where else ''}{what}",
        "choose a smaller ROI, remove them from the list, or make it with "
        "`beadscope find --isolated-only`",
    )


def write_beads(path: str | Path, beads: Iterable[Bead]) -> None:
    """Write the centres of the beads' ROIs; `read_beads` of the same size gives the beads back.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    lines = [",".join(_COLUMNS)]
    for bead in beads:
        y_px, x_px = bead.roi.centre_px
        lines.append(f"{bead.bead},{y_px:g},{x_px:g}")
    _write(path, lines)


def write_found(
    path: str | Path,
    y_px: Iterable[float],
    x_px: Iterable[float],
    radius_px: Iterable[float],
    score: Iterable[float],
    isolated: Iterable[bool],
) -> None:
    """Write beads that were found, numbered from 0 in the order given.

    Positions to 0.001 px, radius to 0.1 px, score (0 to 1) to 0.0001, isolated as 1 or 0.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    lines = [",".join(FOUND_COLUMNS)]
    for bead, (y, x, radius, sure, alone) in enumerate(
        zip(y_px, x_px, radius_px, score, isolated, strict=True)
    ):
        lines.append(f"{bead},{y:.3f},{x:.3f},{radius:.1f},{sure:.4f},{int(alone)}")
    _write(path, lines)


def _write(path: str | Path, lines: Iterable[str]) -> None:
    try:
        write_atomic(Path(path), "\n".join(lines) + "\n")
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error
