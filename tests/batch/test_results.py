"""Tables and processing_results.yaml say what the journal says, and nothing else."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from napari_beadscope.batch.flags import Flag, change_flags, read_flags
from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.outcome import read_outcome
from napari_beadscope.batch.results import Results, write_everything
from napari_beadscope.batch.tables import join_tables, write_parquet
from napari_beadscope.core.errors import InputError, StorageError

from .folders import FRAMES, cells_csv, make_batch


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "journal" not in path.name
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_tables_hold_every_row_of_every_chunk_once_and_in_order(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    tables = write_everything(read_outcome(folder))
    assert [path.name for path in tables] == ["extract.csv"]
    both = [cells_csv(f"cells_p00{k}", 0, FRAMES) for k in (0, 1)]
    assert (folder / "tables/extract/cells_p001.csv").read_bytes() == both[1]
    assert tables[0].read_bytes() == both[0] + both[1].split(b"\n", 1)[1]


def test_writing_again_changes_no_byte(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", samples={0: "wild type", 1: "mutant"})
    write_everything(read_outcome(folder), parquet=True)
    first = everything_in(folder)
    assert "tables/extract.parquet" in first
    write_everything(read_outcome(folder), parquet=True)
    assert everything_in(folder) == first


def test_results_name_every_position_step_setting_and_failure(tmp_path: Path) -> None:
    folder = make_batch(
        tmp_path / "out", (0, 1, 2), fail={(1, 8): "page 12 is damaged"}, undone=[2]
    )
    write_everything(read_outcome(folder))
    said = yaml.safe_load((folder / "processing_results.yaml").read_text())
    assert said["state"] == "incomplete"
    assert said["steps"]["segment"] == {"version": "1", "settings": {"radius": 3}}
    assert list(said["steps"]) == ["segment", "extract"]
    assert [one["state"] for one in said["positions"]] == ["done", "failed", "pending"]
    one = said["positions"][1]
    assert (one["path"], one["index"]) == ("/data/cells.tif", 1)
    assert one["channels"] == {"phase": [0], "fluorescence": [1]}
    assert one["steps"]["segment"]["done"] == "2 of 3"
    assert one["steps"]["extract"]["state"] == "blocked"
    assert said["failures"] == [
        {
            "position": "cells_p001",
            "step": "segment",
            "frames": [8, 15],
            "error": "page 12 is damaged",
            "remedy": "copy the file again",
        }
    ]


def test_a_position_that_is_not_done_is_in_no_table(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", (0, 1), fail={(1, 8): "damaged"})
    stale = folder / "tables" / "extract" / "cells_p001.csv"
    stale.parent.mkdir(parents=True)
    stale.write_text("of other settings")
    (stale.parent / "mine.csv").write_text("kept")
    write_everything(read_outcome(folder))
    assert {row["position"] for row in rows_of(folder / "tables/extract.csv")} == {"cells_p000"}
    assert not stale.exists()
    assert (stale.parent / "mine.csv").exists()


def test_samples_have_tables_of_their_own(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out", (0, 1, 2), samples={0: "wild type", 2: "wild type"})
    write_everything(read_outcome(folder))
    own = rows_of(folder / "tables/extract/samples/wild_type.csv")
    assert sorted({row["position"] for row in own}) == ["cells_p000", "cells_p002"]
    assert len(rows_of(folder / "tables/extract.csv")) == 3 * FRAMES * 3
    assert (folder / "tables/samples.csv").read_text().splitlines() == [
        "position,sample",
        "cells_p000,wild type",
        "cells_p002,wild type",
    ]


def test_parquet_has_whole_numbers_text_and_missing_values(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    def without_times(position: str, first: int, last: int) -> bytes:
        return cells_csv(position, first, last).replace(b",0.000,", b",nan,")

    folder = make_batch(tmp_path / "out", content=without_times)
    write_everything(read_outcome(folder), parquet=True)
    table = pq.read_table(folder / "tables/extract.parquet").to_pandas()
    assert len(table) == 2 * FRAMES * 3
    kinds = {name: kind.kind for name, kind in table.dtypes.items() if name != "position"}
    assert (kinds["cell"], kinds["area_px"], kinds["y_px"]) == ("i", "i", "f")
    assert table["position"].iloc[0] == "cells_p000"
    assert table["time_s"].isna().sum() == 6


def test_text_becomes_text_in_parquet_wherever_it_begins(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = tmp_path / "own.csv"
    rows = ["a,1,round,nan,"] * 40_000 + ["a,2,flat,1.5,late"]
    table.write_text("\n".join(["position,cell,shape,ratio,remark", *rows]) + "\n")
    read = pq.read_table(write_parquet(table)).to_pandas()
    assert list(read.iloc[-1]) == ["a", 2, "flat", 1.5, "late"]
    assert read["ratio"].isna().sum() == 40_000
    table.write_text(f"{table.read_text()}a,one,flat,1,late\n")
    with pytest.raises(InputError, match=r"own.csv cannot be written as Parquet.*'one'"):
        write_parquet(table)
    assert len(pq.read_table(tmp_path / "own.parquet")) == 40_001


def test_parts_with_other_columns_are_joined_by_name(tmp_path: Path) -> None:
    one, other, out = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "t" / "all.csv"
    one.write_text("position,cell,area_px\na,1,20\n")
    other.write_text('position,area_px,note\nb,30,"x, y"')
    join_tables([one, other], out)
    assert out.read_text() == 'position,cell,area_px,note\na,1,20,\nb,,30,"x, y"\n'


def test_what_is_gone_is_said_and_the_older_table_stays(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    write_everything(read_outcome(folder))
    before = (folder / "tables/extract.csv").read_bytes()
    gone = next((folder / "positions/cells_p001/extract").iterdir())
    gone.unlink()
    with pytest.raises(StorageError, match=f"No such file.*{gone.name}.*run the batch again"):
        write_everything(read_outcome(folder))
    assert (folder / "tables/extract.csv").read_bytes() == before


def test_results_are_written_at_most_once_a_second_and_at_the_end(tmp_path: Path) -> None:
    folder, now = make_batch(tmp_path / "out", undone=[1]), [100.0]
    with Journal.open(folder) as journal:
        results = Results(folder, journal, clock=lambda: now[0])
        written = []
        for _ in range(30):
            written.append(results.update())
            now[0] += 0.1
        assert written.count(True) == 3
        assert written[0]
        assert results.finish()


def test_halves_that_a_killed_run_left_are_removed(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    halves = [folder / ".processing_results.0a1b2c3d.part.yaml"]
    halves.append(folder / "tables" / "extract" / ".cells_p000.0a1b2c3d.part.csv")
    halves[1].parent.mkdir(parents=True)
    for path in halves:
        path.write_text("half")
    (folder / ".mine.part.txt").write_text("kept")
    with Journal.open(folder) as journal:
        Results(folder, journal).finish()
    assert [path for path in folder.rglob(".*") if path.is_file()] == [folder / ".mine.part.txt"]


def test_flags_are_kept_beside_results_and_never_in_them(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "out")
    write_everything(read_outcome(folder))
    before = everything_in(folder)
    thing, other = ("cells_p000", "cell", 1), ("cells_p001", "cell", 2)
    change_flags(folder, {thing: Flag(False, "two cells, one mask"), other: Flag(True)})
    assert read_flags(folder) == {thing: Flag(False, "two cells, one mask"), other: Flag(True)}
    change_flags(folder, {other: Flag()})
    assert read_flags(folder) == {thing: Flag(False, "two cells, one mask")}
    after = everything_in(folder)
    after.pop("flags.csv")
    assert after == before
    write_everything(read_outcome(folder))
    assert read_flags(folder) == {thing: Flag(False, "two cells, one mask")}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cell,good\n1,true\n", "line 1 lacks 'position'"),
        ("position,kind,number,good\na,house,1,true\n", "line 2: 'house' is no kind"),
        ("position,kind,number,good\na,cell,one,true\n", "'one' is no number of a cell"),
        (f"position,kind,number,good\na,cell,{'9' * 5000},true\n", "9' is no number of a cell"),
        ("position,kind,number,good\na,cell,1,maybe\n", "'maybe' is neither true nor false"),
    ],
)
def test_flags_that_cannot_be_read_are_said_and_kept(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "flags.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=sentence):
        change_flags(tmp_path, {("a", "cell", 1): Flag(True)})
    assert file.read_text() == text
