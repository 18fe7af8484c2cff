"""annotations.csv: what people say about the beads of a recording.

Owns the format, ``bead,label,good,note,reference``, and that the file appears whole or not at
all. Knows nothing of tracks, nor of who annotates.

``good`` is true, false, or empty as long as nobody has judged; ``reference`` is true or false.
Text is quoted where it holds commas, quotes or line breaks.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import MAX_BEAD, Annotation
from napari_beadscope.storage.manifest import write_atomic

ANNOTATIONS_NAME = "annotations.csv"
#: What is said about a bead, in the order of files.
FIELDS = ("label", "good", "note", "reference")
_COLUMNS = ("bead", *FIELDS)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SPECIAL = frozenset(',"\r\n')


def read_annotations(path: str | Path) -> dict[int, Annotation]:
    """Read what is said about beads; further columns are ignored, their order is free.

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
            if "bead" not in header:
                raise InputError(
                    f"{path} line 1 lacks the column 'bead'",
                    f"begin the file with the line {','.join(_COLUMNS)}",
                )
            found: dict[int, Annotation] = {}
            for row in lines:
                if any(row):
                    where = f"{path} line {lines.line_num}"
                    bead, said = _parse(dict(zip(header, row)), where)
                    found[bead] = said
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as annotations ({error})", "give a CSV text file"
        ) from None
    return found


def write_annotations(
    path: str | Path, annotations: Mapping[int, Annotation], *, sync: bool = True
) -> None:
    """Replace the file in one step.

    Raises
    ------
    StorageError
        The file cannot be written; it is as it was.
    """
    lines = [",".join(_COLUMNS)]
    lines += [f"{bead},{cells(annotations[bead])}" for bead in sorted(annotations)]
    try:
        write_atomic(Path(path), "\n".join(lines) + "\n", sync=sync)
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error


def cells(said: Annotation) -> str:
    """Return an annotation as cells of a table, in the order of `FIELDS`.

    Examples
    --------
    >>> cells(Annotation("pull, again", good=True))
    '"pull, again",true,,false'
    """
    good = "" if said.good is None else str(said.good).lower()
    return ",".join((_cell(said.label), good, _cell(said.note), str(said.reference).lower()))


def annotation_of(row: Mapping[str, str], where: str) -> Annotation:
    """Return the annotation that a table's row holds; columns that are missing say nothing.

    Raises
    ------
    InputError
        A cell is neither true nor false; `where` is named.
    """
    good = _truth(row.get("good", ""), "good", where)
    reference = _truth(row.get("reference", ""), "reference", where)
    return Annotation(row.get("label", ""), good, row.get("note", ""), bool(reference))


def tidy(annotations: Iterable[tuple[int, Annotation]]) -> dict[int, Annotation]:
    """Return the annotations that say something, by bead."""
    return {bead: said for bead, said in annotations if said != Annotation()}


def _parse(row: Mapping[str, str], where: str) -> tuple[int, Annotation]:
    text = row.get("bead", "").strip()
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_BEAD:
        raise InputError(
            f"{where}, column 'bead': '{text}' is not a whole number from 0 to {MAX_BEAD}",
            "correct it",
        )
    return int(text), annotation_of(row, where)


def _truth(text: str, column: str, where: str) -> bool | None:
    word = text.strip().lower()
    if word and word not in _WORDS:
        raise InputError(
            f"{where}, column '{column}': '{text}' is neither true nor false",
            "write true, false, or nothing",
        )
    return _WORDS.get(word)


def _cell(text: str) -> str:
    if _SPECIAL.isdisjoint(text) and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'
