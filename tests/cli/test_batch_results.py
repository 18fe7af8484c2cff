"""`beadscope batch report | merge | flag`: what became of batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.folders import make_batch
from tests.cli.conftest import beadscope


def test_a_report_of_a_batch(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    data = beadscope("batch", "report", folder, "--json").data
    assert data == {"report": str(folder / "report.html")}
    other = tmp_path / "for_you.html"
    assert beadscope("batch", "report", folder, "--out", other).out.strip() == str(other)
    assert other.read_bytes() == (folder / "report.html").read_bytes()
    assert "is there already" in beadscope("batch", "report", folder, "--out", other, code=2).err


def test_halves_are_merged_and_what_is_missing_is_told(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one", (0, 1))
    two = make_batch(tmp_path / "two", (2, 3), undone=[3])
    samples = tmp_path / "samples.yaml"
    samples.write_text('samples: {left: "0-1", right: "2-3"}\n')
    words = ("batch", "merge", one, two, "--samples", samples, "--parquet")
    ran = beadscope(*words, "--output", tmp_path / "all")
    assert "4 positions, 18 results" in ran.out
    assert f"6 results are missing: beadscope batch run {tmp_path}/all/plan.yaml" in ran.out
    assert (tmp_path / "all/tables/extract.parquet").exists()
    assert (tmp_path / "all/tables/extract/samples/right.csv").exists()
    again = beadscope(*words, "--output", tmp_path / "all", code=2)
    assert "is there already: name a new folder" in again.err


def test_cells_are_flagged_and_the_flag_is_taken_back(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    assert beadscope("batch", "flag", folder).out == "nothing is flagged\n"
    words = ("batch", "flag", folder, "cells_p001")
    assert beadscope(*words, "0-1", "--bad", "--note", "dust").out.splitlines() == [
        "cells_p001 cell 0: bad dust",
        "cells_p001 cell 1: bad dust",
    ]
    left = beadscope(*words, "0", "--json").data["flags"]
    assert [(one["number"], one["good"], one["note"]) for one in left] == [(1, False, "dust")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("flag", "{out}", "elsewhere", "1", "--bad"),
            "no position 'elsewhere': it has cells_p000",
        ),
        (("flag", "{out}", "cells_p000", "--bad"), "which cells of cells_p000 is not said"),
        (("flag", "{out}", "cells_p000", "x", "--bad"), "'x' is no selection"),
        (("flag", "{out}", "cells_p000", "1", "--bad", "--kind", "dog"), "nothing that a table"),
        (("flag", "{out}", "cells_p000", "1,7", "--bad"), "has no cell 7: the last one is 2"),
        (
            ("flag", "{out}", "cells_p000", "1", "--bad", "--kind", "bead"),
            "has no beads, but cells: add --kind cell",
        ),
        (("report", "{tmp}"), "is not the output of a batch"),
        (("merge", "{tmp}", "--output", "{tmp}/../new"), "is not the output of a batch"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    out = make_batch(tmp_path / "out")
    ran = beadscope("batch", *(word.format(out=out, tmp=tmp_path) for word in words), code=2)
    assert sentence in ran.err
    assert not (out / "flags.csv").exists()
