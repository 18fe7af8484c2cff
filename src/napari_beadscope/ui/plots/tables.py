"""What a plot shows, as a CSV file. Must not know Qt or what is in the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.ui.plots.figure import Table

_CHUNK = 20_000


def save_csv(table: Table, path: Path, overwrite: bool = False) -> int:
    """Write a table and return how many rows it has; the file appears whole or not at all.

    Parameters
    ----------
    table : Table
        Names end in their units. What is missing stays empty.
    path : Path
        Where to.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    InputError
        There is nothing to write, or a file is there.
    StorageError
        The file cannot be written.
    """
    rows = len(next(iter(table.columns.values()), ()))
    if not rows:
        raise InputError("the plot is empty: there is nothing to save", "wait for data")
    refuse_existing(path, overwrite)
    columns = list(table.columns.values())
    try:
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(_quoted(name) for name in table.columns) + "\n")
            for start in range(0, rows, _CHUNK):
                words = [_words(column[start : start + _CHUNK]) for column in columns]
                file.writelines(",".join(line) + "\n" for line in zip(*words))
    except OSError as error:
        raise StorageError(f"cannot write {path}", error.strerror or str(error)) from error
    return rows


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise `InputError` if `path` is there and must not be replaced."""
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists", "choose another name")


def _words(values: np.ndarray) -> list[str]:
    if values.dtype.kind in "iu":
        return [str(value) for value in values.tolist()]
    return ["" if value != value else f"{value:.9g}" for value in values.tolist()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name
