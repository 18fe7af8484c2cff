"""annotations.csv: what people say about the beads of a recording.

Owns the format, ``bead,label,good,note,reference``, and that the file appears whole or not at
all. Knows nothing of tracks, nor of who annotates.

``good`` is true, false, or empty as long as nobody has judged; ``reference`` is true or false.
Text is quoted where it holds commas, quotes or line breaks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.session_annotations import MAX_LABEL, MAX_NOTE
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
    text = _text(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # whoever wrote it
    lines = csv.reader(io.StringIO(text, newline=""))
    found: dict[int, Annotation] = {}
    try:
        header = [name.strip() for name in next(lines, [])]
        if "bead" not in header:
            raise InputError(
                f"{path} line 1 lacks the column 'bead'",
                f"begin the file with the line {','.join(_COLUMNS)}",
            )
        for row in lines:
            if any(row):
                where = f"{path} line {lines.line_num}"
                bead, said = _parse(dict(zip(header, row)), where)
                found[bead] = said
    except csv.Error as error:
        raise InputError(
            f"{path} line {lines.line_num} cannot be read as annotations ({error})", "correct it"
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


def check_texts(annotations: Mapping[int, Annotation]) -> None:
    """Refuse text that the engine would refuse too, or that no file can hold.

    Raises
    ------
    InputError
        Names the bead and what is wrong.
    """
    for bead, said in annotations.items():
        for name, text, limit in (("label", said.label, MAX_LABEL), ("note", said.note, MAX_NOTE)):
            what = f"the {name} of bead {bead}"
            if len(text) > limit:
                raise InputError(f"{what} has {len(text)} characters", f"use at most {limit}")
            if "\0" in text:
                raise InputError(f"{what} holds a null character", "leave it out")
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise InputError(f"{what} holds half a character", "leave it out")


def merged(
    disk: Mapping[int, Annotation],
    read: Mapping[int, Annotation],
    changes: Mapping[int, Annotation],
) -> dict[int, Annotation]:
    """Return what a file is to hold after changes that were made since it was read.

    Parameters
    ----------
    disk, read : mapping of bead to Annotation
        What the file says now, and what it said when it was read.
    changes : mapping of bead to Annotation
        What was changed here since; nothing else of the file is.

    Raises
    ------
    InputError
        The same bead was changed in the file too, to something else.

    Examples
    --------
    >>> merged({1: Annotation("theirs")}, {}, {2: Annotation("ours")}).keys()
    dict_keys([1, 2])
    """
    for bead, ours in sorted(changes.items(), key=lambda change: change[0]):
        theirs = disk.get(bead, Annotation())
        if theirs not in (ours, read.get(bead, Annotation())):
            raise InputError(
                f"what is said about bead {bead} was also changed elsewhere, and nothing was saved",
                "open the recording again to see it, and annotate that bead there",
            )
    return tidy({**disk, **changes}.items())


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


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})", "check the file and your rights to it"
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} line {line} cannot be read as annotations ({error.reason})",
            "give a CSV text file in UTF-8",
        ) from None


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
