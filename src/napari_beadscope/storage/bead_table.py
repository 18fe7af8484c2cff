"""Tables of beads: where they are, how large their ROIs are, and what people say about them.

``bead,y_px,x_px,roi_size_px,nm_per_px,label,good,note,reference``: a bead list with further
columns, so whatever reads bead lists reads these. Owns reading and writing of such tables; a
plain bead list is one without sizes and annotations.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Annotation
from napari_beadscope.storage.annotations import FIELDS, annotation_of, cells, tidy
from napari_beadscope.storage.beads_csv import BeadPoint, read_points
from napari_beadscope.storage.manifest import write_atomic

_COLUMNS = ("bead", "y_px", "x_px", "roi_size_px", "nm_per_px", *FIELDS)


@dataclass(frozen=True, slots=True)
class BeadTable:
    """Beads by their centres; ``sizes_px`` and ``nm_per_px`` are 0 where they are not known."""

    points: tuple[BeadPoint, ...]
    sizes_px: tuple[int, ...]
    nm_per_px: float = 0.0
    annotations: dict[int, Annotation] = field(default_factory=dict)


def read_bead_table(path: str | Path) -> BeadTable:
    """Read a table of beads, or a plain list of them.

    Raises
    ------
    InputError
        Names the file, line and column, and what is expected.
    """
    path = Path(path)
    points = read_points(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        header = [name.strip() for name in next(lines)]
        rows = [
            (dict(zip(header, row)), f"{path} line {lines.line_num}") for row in lines if any(row)
        ]
    sizes = tuple(_positive(row, "roi_size_px", where) for row, where in rows)
    scales = [_positive(row, "nm_per_px", where) for row, where in rows]
    said = ((point.bead, annotation_of(row, where)) for point, (row, where) in zip(points, rows))
    return BeadTable(points, tuple(round(size) for size in sizes), max(scales), tidy(said))


def write_bead_table(
    path: str | Path,
    points: Sequence[BeadPoint],
    sizes_px: Sequence[int],
    nm_per_px: float,
    annotations: Mapping[int, Annotation],
) -> None:
    """Write a table of beads in one step; sizes and a scale of 0 are left empty.

    Raises
    ------
    StorageError
        The file cannot be written; it is as it was.
    """
    lines = [",".join(_COLUMNS)]
    scale = f"{nm_per_px:.10g}" if nm_per_px else ""
    for point, size in zip(points, sizes_px, strict=True):
        said = cells(annotations.get(point.bead, Annotation()))
        place = f"{point.bead},{point.y_px:.10g},{point.x_px:.10g}"
        lines.append(f"{place},{size or ''},{scale},{said}")
    try:
        write_atomic(Path(path), "\n".join(lines) + "\n")
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error


def _positive(row: Mapping[str, str], column: str, where: str) -> float:
    text = row.get(column, "").strip()
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf or (text and value == 0):
        raise InputError(
            f"{where}, column '{column}': '{text}' is not a number above 0", "correct it"
        )
    return value
