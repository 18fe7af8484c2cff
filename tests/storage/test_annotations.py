"""annotations.csv: any text survives, and what is not understood is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Annotation
from napari_beadscope.storage.annotations import (
    check_texts,
    merged,
    read_annotations,
    write_annotations,
)

SAID = {
    3: Annotation('a "quoted", label', True, "two\nlines\r\nand\rmore", True),
    0: Annotation("µ – 微球 🧲", False, " spaces "),
    12: Annotation(),
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "annotations.csv"
    write_annotations(path, SAID)
    assert read_annotations(path) == SAID
    assert path.read_text(encoding="utf-8").startswith("bead,label,good,note,reference\n0,")
    assert [one.name for one in tmp_path.iterdir()] == ["annotations.csv"]


def test_a_spreadsheet_may_reorder_and_add_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffgood,colour,bead\nYES,red,4\n,blue,5\n\n", encoding="utf-8")
    assert read_annotations(path) == {4: Annotation(good=True), 5: Annotation()}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("label\nx\n", "line 1 lacks the column 'bead'"),
        ("bead,good\n1,maybe\n", "line 2, column 'good': 'maybe' is neither true nor false"),
        ("bead\n1.5\n", "line 2, column 'bead': '1.5' is not a whole number"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=what.replace("(", r"\(")):
        read_annotations(path)


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_annotations(tmp_path / "a.csv")
    with pytest.raises(StorageError, match="cannot write"):
        write_annotations(tmp_path / "none" / "a.csv", SAID)


def test_a_long_note_is_read_and_damage_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_annotations(path, {1: Annotation(note="x" * 200_000)})
    assert read_annotations(path) == {1: Annotation(note="x" * 200_000)}
    path.write_bytes(b"bead,label\n1,a\n2,\xff\n")
    with pytest.raises(InputError, match=r"a\.csv line 3 cannot be read"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (Annotation("x" * 201), "the label of bead 5 has 201 characters"),
        (Annotation(note="x" * 10_001), "the note of bead 5 has 10001 characters"),
        (Annotation("a\0b"), "the label of bead 5 holds a null character"),
        (Annotation(note="\ud800"), "the note of bead 5 holds half a character"),
    ],
)
def test_text_that_no_file_should_hold_is_refused(said: Annotation, what: str) -> None:
    with pytest.raises(InputError, match=what):
        check_texts({5: said})
    check_texts({5: Annotation("x" * 200, note="🧲" * 10_000)})


def test_only_changes_are_merged_and_two_of_one_bead_are_refused() -> None:
    read = {1: Annotation("old"), 2: Annotation("old"), 3: Annotation("old")}
    disk = {1: Annotation("theirs"), 2: Annotation("old"), 4: Annotation(good=True)}
    ours = {2: Annotation(), 4: Annotation(good=True), 5: Annotation("new")}
    assert merged(disk, read, ours) == {
        1: Annotation("theirs"),
        4: Annotation(good=True),
        5: Annotation("new"),
    }
    with pytest.raises(InputError, match="bead 1 was also changed elsewhere"):
        merged(disk, read, {1: Annotation("ours")})
