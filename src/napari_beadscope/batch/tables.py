"""The tables of a batch: of each position, of all, and of each sample; CSV, and Parquet if asked.

Owns ``tables/`` in a batch's folder. Every output that is CSV and whose first column is
``position`` is part of a table, called as its step. Tables are made anew from outputs, so making
them twice is the same as once. Must not know what a column means, but for whole numbers and text.

    tables/STEP.csv                 all positions, in the order of the plan
    tables/STEP/POSITION.csv        one position
    tables/STEP/samples/NAME.csv    the positions of a sample
    tables/samples.csv              which position belongs to which sample
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_beadscope.batch.naming import safe
from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file
from napari_beadscope.storage.manifest import sync_folder

TABLES_NAME = "tables"
SAMPLES_NAME = "samples.csv"
#: Columns of tables that hold whole numbers, and text.
WHOLE = frozenset({"frame", "cell", "bead", "particle", "parent", "lineage", "area_px", "reason"})
TEXT = frozenset({"position", "sample", "note", "state", "kind", "model", "problem"})
_BLOCK = 1 << 20


def columns_of(path: Path) -> list[str]:
    """Return the first line of a CSV file as names of columns; none for an empty file."""
    with open(path, newline="", encoding="utf-8") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def is_table(path: Path) -> bool:
    """Return whether an output is part of a table."""
    return path.suffix == ".csv" and columns_of(path)[:1] == ["position"]


def join_tables(parts: Sequence[Path], out: Path) -> None:
    """Write the rows of several CSV files, one after the other, as a whole new file.

    Where columns differ, the new file has all of them, and cells are empty where a part has no
    such column.

    Parameters
    ----------
    parts : sequence of Path
        At least one.
    out : Path
        Replaced if it is there.

    Raises
    ------
    StorageError
        It cannot be written, or a part not be read; an older file is unharmed.
    """
    with _told(out):
        headers = [columns_of(part) for part in parts]
        names = list(dict.fromkeys(name for header in headers for name in header))
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as new, open(new, "wb") as file:
            file.write((",".join(names) + "\n").encode())
            for part, header in zip(parts, headers, strict=True):
                if header == names:
                    _copy_rows(part, file)
                else:
                    _spread_rows(part, header, names, file)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(out.parent)


def write_tables(
    folder: Path,
    parts: Mapping[str, Mapping[str, Sequence[Path]]],
    samples: Mapping[str, str] | None = None,
    *,
    parquet: bool = False,
) -> list[Path]:
    """Make all tables of a batch.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    parts : mapping of step to mapping of position to sequence of Path
        Outputs that are done, in the order of positions and frames; none for a position that is
        not done: a table that it had is removed.
    samples : mapping of position to sample, optional
        In the order of positions.
    parquet : bool
        Write Parquet beside every merged table.

    Returns
    -------
    list of Path
        The tables of all positions, and the list of samples if there are any.

    Raises
    ------
    StorageError
        One cannot be written.
    InputError
        Parquet is asked for and pyarrow is not installed.
    """
    if parquet:
        check_parquet()
    samples, made = samples or {}, []
    tables = folder / TABLES_NAME
    for step, of_position in parts.items():
        with _told(tables / f"{safe(step)}.csv"):
            chosen = {name: [p for p in some if is_table(p)] for name, some in of_position.items()}
        own = {name: tables / safe(step) / f"{name}.csv" for name, some in chosen.items() if some}
        merged = tables / f"{safe(step)}.csv"
        for name in chosen.keys() - own.keys():  # a table of what is done no longer
            (tables / safe(step) / f"{name}.csv").unlink(missing_ok=True)
        if not own:
            merged.unlink(missing_ok=True)
            continue
        for name, path in own.items():
            join_tables(chosen[name], path)
        join_tables(list(own.values()), merged)
        made.append(merged)
        for sample in dict.fromkeys(samples.values()):
            some = [path for name, path in own.items() if samples.get(name) == sample]
            if some:
                join_tables(some, tables / safe(step) / "samples" / f"{safe(sample)}.csv")
    columnar = [write_parquet(merged) for merged in made] if parquet else []
    if samples:
        made.append(_write_samples(tables / SAMPLES_NAME, samples))
    return made + columnar


def write_parquet(table: Path) -> Path:
    """Write a table's Parquet beside it: whole numbers, text and numbers, missing ones as null.

    Columns are what `WHOLE` and `TEXT` say; others are text if the first rows are, else numbers.

    Raises
    ------
    InputError
        pyarrow is not installed, or a cell is not what its column holds.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    with pa_csv.open_csv(table) as rows:
        seen = {field.name: field.type for field in rows.schema}

    def kind(name: str, unknown: pa.DataType) -> pa.DataType:
        if name in WHOLE or name in TEXT:
            return pa.int64() if name in WHOLE else pa.string()
        if pa.types.is_null(seen[name]):
            return unknown
        numeric = pa.types.is_integer(seen[name]) or pa.types.is_floating(seen[name])
        return pa.float64() if numeric else pa.string()

    out = table.with_suffix(".parquet")
    try:
        _convert(table, out, {name: kind(name, pa.float64()) for name in seen})
    except pa.ArrowInvalid:  # a column whose first rows are empty is text after all
        try:
            _convert(table, out, {name: kind(name, pa.string()) for name in seen})
        except pa.ArrowInvalid as error:
            what = f"{table} cannot be written as Parquet ({error})"
            raise InputError(what, "use the CSV, or write one kind of value in a column") from None
    return out


def _convert(table: Path, out: Path, types: Mapping[str, Any]) -> None:
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    options = pa_csv.ConvertOptions(
        column_types=types, null_values=["", "nan"], strings_can_be_null=False
    )
    with (
        pa_csv.open_csv(table, convert_options=options) as rows,
        whole_file(out) as new,
        pq.ParquetWriter(new, rows.schema) as writer,
    ):
        for batch in rows:
            writer.write_batch(batch)


def check_parquet() -> None:
    """Refuse to write Parquet where that cannot be done."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise InputError(
            "Parquet needs pyarrow, which is not installed",
            "pip install 'napari-beadscope[parquet]', or use the CSV",
        )


def _copy_rows(part: Path, file: io.BufferedWriter) -> None:
    with open(part, "rb") as rows:
        rows.readline()
        last = b"\n"
        while block := rows.read(_BLOCK):
            file.write(block)
            last = block
        if not last.endswith(b"\n"):
            file.write(b"\n")


def _spread_rows(part: Path, header: list[str], names: list[str], file: io.BufferedWriter) -> None:
    at = [header.index(name) if name in header else -1 for name in names]
    with open(part, newline="", encoding="utf-8") as rows:
        lines: Iterable[list[str]] = csv.reader(rows)
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        for number, row in enumerate(lines):
            if number and row:
                out.writerow([row[place] if place >= 0 else "" for place in at])
            if text.tell() > _BLOCK:
                file.write(text.getvalue().encode())
                text.seek(0)
                text.truncate()
        file.write(text.getvalue().encode())


def _write_samples(path: Path, samples: Mapping[str, str]) -> Path:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["position", "sample"])
    out.writerows(samples.items())
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_text(text.getvalue(), encoding="utf-8")
    return path


@contextmanager
def _told(table: Path) -> Iterator[None]:
    """Turn what the system says into one of our errors."""
    try:
        yield
    except OSError as error:
        why = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        raise StorageError(
            f"the table {table} cannot be made ({why})",
            "check the folder and free space, then run the batch again",
        ) from error
