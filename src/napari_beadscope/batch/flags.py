"""flags.csv: what people say about cells, beads and particles of a batch, beside its results.

Owns the format, ``position,kind,number,good,note``, in the batch's folder. Results are never
changed by it. Must not know what the results are.

``good`` is true, false, or empty for a note alone. `kind` is the column that numbers things in a
table: cell, bead or particle.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.storage.manifest import write_atomic

FLAGS_NAME = "flags.csv"
#: Columns that number what is in a table; the first that a table has is its own.
KINDS = ("cell", "bead", "particle")
_COLUMNS = ("position", "kind", "number", "good", "note")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MAX_NOTE = 1000
_MOST_DIGITS = 18

#: Position, kind and number.
Thing = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Flag:
    """What is said about one thing; nothing by default."""

    good: bool | None = None
    note: str = ""


def read_flags(folder: str | Path) -> dict[Thing, Flag]:
    """Return what is said in a batch's folder; nothing if there is no file.

    Raises
    ------
    InputError
        Names the file, the line and what is expected.
    """
    path = Path(folder) / FLAGS_NAME
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})", "give a text file in UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""))
    flags: dict[Thing, Flag] = {}
    try:
        header = [name.strip() for name in next(lines, [])]
        missing = [name for name in _COLUMNS[:3] if name not in header]
        if missing:
            raise InputError(
                f"{path} line 1 lacks '{missing[0]}'", f"begin it with {','.join(_COLUMNS)}"
            )
        for row in lines:
            if any(row):
                thing, flag = _parse(dict(zip(header, row)), f"{path} line {lines.line_num}")
                flags[thing] = flag
    except csv.Error as error:
        what = f"{path} line {lines.line_num} cannot be read as flags ({error})"
        raise InputError(what, "correct it") from None
    return flags


def change_flags(folder: str | Path, changes: Mapping[Thing, Flag]) -> dict[Thing, Flag]:
    """Say something about some things, and leave what is said about others.

    Parameters
    ----------
    folder : str or Path
        The batch's folder.
    changes : mapping of (position, kind, number) to Flag
        An empty `Flag` takes back what was said.

    Returns
    -------
    dict
        All that is said now.

    Raises
    ------
    InputError
        The file there cannot be read, or what is said cannot be written in one.
    StorageError
        The file cannot be written; it is as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as batch:
    ...     _ = change_flags(batch, {("a", "cell", 3): Flag(False, "dust")})
    ...     read_flags(batch)
    {('a', 'cell', 3): Flag(good=False, note='dust')}
    """
    for (position, kind, number), flag in changes.items():
        if kind not in KINDS or number < 0:
            raise InputError(f"{kind} {number} of {position} is nothing that a table numbers")
        if len(flag.note) > _MAX_NOTE or "\0" in flag.note:
            raise InputError(
                f"the note on {kind} {number} of {position} cannot be kept",
                f"use at most {_MAX_NOTE} characters",
            )
    flags = {**read_flags(folder), **changes}
    flags = {thing: flags[thing] for thing in sorted(flags) if flags[thing] != Flag()}
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for thing, flag in flags.items():
        good = "" if flag.good is None else str(flag.good).lower()
        lines.writerow([*thing, good, flag.note])
    path = Path(folder) / FLAGS_NAME
    try:
        write_atomic(path, out.getvalue())
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error
    return flags


def kind_of(columns: list[str]) -> str | None:
    """Return the column that numbers what a table's rows are about.

    Examples
    --------
    >>> kind_of(["position", "cell", "frame"])
    'cell'
    """
    return next((kind for kind in KINDS if kind in columns), None)


def _parse(row: Mapping[str, str], where: str) -> tuple[Thing, Flag]:
    kind, number, word = (row.get(name, "").strip() for name in ("kind", "number", "good"))
    if kind not in KINDS:
        raise InputError(f"{where}: '{kind}' is no kind", f"write {', '.join(KINDS)}")
    if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
        raise InputError(f"{where}: '{number[:40]}' is no number of a {kind}", "correct it")
    if word and word.lower() not in _WORDS:
        raise InputError(f"{where}: '{word}' is neither true nor false", "correct it")
    flag = Flag(_WORDS.get(word.lower()), row.get("note", ""))
    return (row.get("position", ""), kind, int(number)), flag
