"""Tables of tracks as files of their own, with what people say about the beads.

An annotated table has the columns of a recording's tracks.csv, then
``label,good,note,reference`` of the row's bead in each row. Owns reading and writing of such
files. Knows nothing of recordings' folders.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import MAX_BEAD, Annotation
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.storage.annotations import FIELDS, annotation_of, cells, tidy
from napari_beadscope.storage.tables import TRACK_LINE, TRACKS

#: `reason` of rows whose maker did not say whether they can be trusted.
UNKNOWN_REASON = -1
COLUMNS = TRACKS.names or ()
_NEEDED = (("frame",), ("bead",), ("x_px", "x_nm"), ("y_px", "y_nm"))
_WHOLE = ("frame", "bead", "reason")
_CHUNK = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """Rows (structured `storage.tables.TRACKS`) and what is said about their beads.

    What a file lacks is NaN in the rows, and `UNKNOWN_REASON` as the reason.
    """

    rows: np.ndarray
    annotations: dict[int, Annotation] = field(default_factory=dict)

    @property
    def nm_per_px(self) -> float:
        """Size of a pixel that the two kinds of positions imply; 0 if there is only one kind."""
        rows = self.rows[np.isfinite(self.rows["x_nm"]) & (np.abs(self.rows["x_px"]) > 1)]
        if not len(rows):
            return 0.0
        return float(f"{np.median(rows['x_nm'] / rows['x_px']):.6g}")


def is_track_table(path: str | Path) -> bool:
    """Return whether a file begins with the columns of a table of tracks."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header = [name.strip() for name in next(csv.reader([file.readline(10_000)]), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return all(any(name in header for name in names) for names in _NEEDED)


def read_track_table(path: str | Path) -> TrackTable:
    """Read a table of tracks, annotated or not; the order of its columns is free.

    Raises
    ------
    InputError
        Names the file and the line or the column, and what is expected.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}", "check the path")
    if not is_track_table(path):
        raise InputError(
            f"{path} is not a table of tracks", f"begin it with the line {','.join(COLUMNS)}"
        )
    columns = _read_columns(path)
    rows = np.zeros(len(columns["bead"]), TRACKS)
    for name in COLUMNS:
        if name in columns:
            rows[name] = columns[name]
        else:
            rows[name] = UNKNOWN_REASON if name == "reason" else np.nan
    return TrackTable(rows, _annotations(path, columns, rows["bead"]))


def write_track_table(
    path: str | Path, rows: np.ndarray, annotations: Mapping[int, Annotation]
) -> None:
    """Write an annotated table; it appears whole or not at all.

    Parameters
    ----------
    path : path
        Its former content is replaced.
    rows : ndarray
        Structured `storage.tables.TRACKS`, in the order wanted.
    annotations : mapping of bead to Annotation
        What is said; nothing about beads that are missing.

    Raises
    ------
    StorageError
        The file cannot be written; it is as it was.
    """
    path = Path(path)
    nothing = cells(Annotation())
    said = {bead: cells(annotation) for bead, annotation in annotations.items()}
    line = TRACK_LINE.rstrip("\n") + ",%s\n"
    try:
        with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
            file.write(",".join((*COLUMNS, *FIELDS)) + "\n")
            for first in range(0, len(rows), _CHUNK):
                chunk = rows[first : first + _CHUNK]
                ends = [said.get(bead, nothing) for bead in chunk["bead"].tolist()]
                lists = [*(chunk[name].tolist() for name in COLUMNS), ends]
                file.write(line * len(chunk) % tuple(chain.from_iterable(zip(*lists))))
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns that are known: numbers as arrays, annotations as text."""
    try:
        table = _parse(path, dict.fromkeys(COLUMNS, "float64"))
    except (InputError, ValueError):  # slower, but it knows where the mistake is
        table = _parse(path, {})
    columns = {}
    for name in set(COLUMNS).union(FIELDS).intersection(table.columns):
        text = table[name]
        columns[name] = _numbers(path, name, text) if name in COLUMNS else text.to_numpy(object)
    return columns


def _parse(path: Path, types: dict[str, str]) -> Any:
    """Return the file as a table in which all columns are text, or of the given types."""
    import pandas as pd

    with open(path, newline="", encoding="utf-8-sig") as file:
        names = [name.strip() for name in next(csv.reader(file))]
    kinds = {name: types.get(name, "str") for name in names}
    try:
        return pd.read_csv(
            path,
            encoding="utf-8-sig",
            header=0,
            names=names,
            index_col=False,
            skipinitialspace=True,
            dtype=kinds,
            na_values={name: ["", "nan", "NaN", "NAN"] for name in names if name in types},
            keep_default_na=False,
            engine="c",
        )
    except (OSError, ValueError) as error:  # pandas' ParserError is a ValueError
        why = str(error).strip().splitlines()[-1]
        raise InputError(
            f"{path} cannot be read as a table of tracks ({why})", "correct the file"
        ) from None


def _numbers(path: Path, name: str, column: Any) -> np.ndarray:
    import pandas as pd

    whole = name in _WHOLE
    if column.dtype == float:
        values = column.to_numpy()
        bad = np.isnan(values) & whole
    else:
        values = pd.to_numeric(column, errors="coerce").to_numpy(float)
        empty = column.str.strip().str.lower().isin(["", "nan"]).to_numpy()
        bad = np.isnan(values) & (whole | ~empty)
    if whole:
        bad |= (values != np.floor(values)) | (values > MAX_BEAD)
        bad |= (values < 0) & (name != "reason")
    if bad.any():
        place = int(np.argmax(bad))
        wanted = "a whole number" if whole else "a number"
        found = column.iloc[place]
        found = "" if found != found else found
        raise InputError(
            f"{path} row {place + 1}, column '{name}': '{found}' is not {wanted}", "correct it"
        )
    return values


def _annotations(
    path: Path, columns: Mapping[str, np.ndarray], beads: np.ndarray
) -> dict[int, Annotation]:
    known = [name for name in FIELDS if name in columns]
    if not known or not len(beads):
        return {}
    _, firsts = np.unique(beads, return_index=True)
    return tidy(
        (
            int(beads[place]),
            annotation_of(
                {name: str(columns[name][place]) for name in known}, f"{path} row {place + 1}"
            ),
        )
        for place in firsts
    )
