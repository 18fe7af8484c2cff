"""Batches that were run in parts, or by several machines, become one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from napari_beadscope.batch.flags import Flag, change_flags, read_flags
from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.merge import merge, read_samples
from napari_beadscope.batch.outcome import read_outcome
from napari_beadscope.batch.plan_file import load_plan
from napari_beadscope.batch.results import write_everything
from napari_beadscope.core.errors import BeadscopeError, InputError

from .folders import FRAMES, cells_csv, make_batch


def test_two_halves_give_what_one_run_gives(tmp_path: Path) -> None:
    samples = {0: "a", 1: "b", 2: "a", 3: "b"}
    every = make_batch(tmp_path / "every", (0, 1, 2, 3), samples=samples)
    halves = [
        make_batch(tmp_path / "one", (0, 1), samples=samples),
        make_batch(tmp_path / "two", (2, 3), samples=samples),
    ]
    write_everything(read_outcome(every))
    merged = merge(halves, tmp_path / "all")
    assert (merged.positions, merged.missing) == (4, 0)
    for name in ("tables/extract.csv", "tables/samples.csv", "tables/extract/samples/a.csv"):
        assert (tmp_path / "all" / name).read_bytes() == (every / name).read_bytes()
    one, other = read_outcome(tmp_path / "all"), read_outcome(every)
    assert one.state == other.state == "complete"
    assert one.fields == other.fields
    said = yaml.safe_load((tmp_path / "all/processing_results.yaml").read_text())
    assert said == yaml.safe_load((every / "processing_results.yaml").read_text())
    for half in halves:
        assert not (half / "tables").exists()


def test_the_merged_plan_has_every_position_and_goes_on(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one", (0, 1), samples={0: "a"})
    two = make_batch(tmp_path / "two", (5,), samples={5: "a"}, source="/data/more.tif", name="more")
    merge([one, two], tmp_path / "all")
    plan, _ = load_plan(tmp_path / "all" / "plan.yaml")
    taken = [(item.path, item.positions, item.frames) for item in plan.inputs]
    assert taken == [("/data/cells.tif", "0-1", "0-19"), ("/data/more.tif", "5", "0-19")]
    assert [(s.name, s.fovs) for s in plan.samples] == [("a", "0,2")]
    assert [step.name for step in plan.steps] == ["segment", "extract"]
    assert plan.output == str(tmp_path / "all")


def test_what_is_done_in_either_counts(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one", (0, 1), undone=[1])
    two = make_batch(tmp_path / "two", (0, 1), fail={(0, 8): "damaged"})
    merged = merge([one, two], tmp_path / "all")
    assert (merged.done, merged.missing) == (12, 0)
    assert read_outcome(tmp_path / "all").failures == []


def test_what_nobody_did_is_still_to_do(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one", (0, 1), undone=[1])
    two = make_batch(tmp_path / "two", (2,), fail={(2, 8): "damaged"})
    merged = merge([one, two], tmp_path / "all")
    assert (merged.done, merged.missing) == (10, 8)
    with Journal.open(tmp_path / "all") as journal:
        states = {row.id[:3]: row.state for row in journal.rows()}
    assert states["cells_p001", "segment", 0] == "pending"
    assert states["cells_p002", "segment", 8] == "failed"
    assert states["cells_p002", "extract", 8] == "pending"
    assert read_outcome(tmp_path / "all").failures[0].error == "damaged"


def test_flags_are_merged(tmp_path: Path) -> None:
    one, two = make_batch(tmp_path / "one", (0,)), make_batch(tmp_path / "two", (1,))
    change_flags(one, {("cells_p000", "cell", 1): Flag(False)})
    change_flags(two, {("cells_p001", "cell", 2): Flag(True, "nice")})
    assert merge([one, two], tmp_path / "all").flags == 2
    assert read_flags(tmp_path / "all")[("cells_p001", "cell", 2)] == Flag(True, "nice")


def test_samples_can_be_given_by_number(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one", (0, 1, 2, 3))
    file = tmp_path / "samples.yaml"
    file.write_text('samples:\n  - {name: wild type, fovs: "0-1,3"}\n  - {name: other, fovs: 2}\n')
    merge([one], tmp_path / "all", samples=read_samples(file))
    lines = (tmp_path / "all/tables/extract/samples/wild_type.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * FRAMES * 3
    file.write_text('samples: [{name: a, fovs: "0-9"}]\n')
    with pytest.raises(InputError, match="has position 4, but there are 4"):
        merge([one], tmp_path / "again", samples=read_samples(file))
    file.write_text("samples: [{name: a, fovs: zero}]\n")
    with pytest.raises(InputError, match=r"samples.yaml.*'zero' is no selection"):
        read_samples(file)
    file.write_text("fovs: 3\n")
    with pytest.raises(InputError, match="holds no samples"):
        read_samples(file)


def other_light(position: str, first: int, last: int) -> bytes:
    return cells_csv(position, first, last).replace(b",200,", b",201,")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"settings": '{"radius": 4}'}, "the step 'segment' of {two} has other settings than that"),
        ({"source": "/data/else.tif"}, "position cells_p000 is /data/cells.tif in {one}, but"),
        ({"content": other_light}, "different results of step 'extract' of position cells_p000"),
    ],
)
def test_what_contradicts_is_refused_and_nothing_is_made(
    tmp_path: Path, other: dict, sentence: str
) -> None:
    one, two = make_batch(tmp_path / "one"), make_batch(tmp_path / "two", **other)
    with pytest.raises(BeadscopeError, match=re.escape(sentence.format(one=one, two=two))):
        merge([one, two], tmp_path / "all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_damaged_result_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one")
    file = next((one / "positions/cells_p001/extract").iterdir())
    file.write_bytes(file.read_bytes().replace(b"2", b"3", 1))
    with pytest.raises(InputError, match=f"{file.name} is not what was written there"):
        merge([one], tmp_path / "all")
    file.unlink()
    with pytest.raises(InputError, match=f"{file.name} is gone"):
        merge([one], tmp_path / "all")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    one = make_batch(tmp_path / "one")
    with pytest.raises(BeadscopeError, match="is there already"):
        merge([one], one)
    with pytest.raises(BeadscopeError, match="inside the batch"):
        merge([one], one / "all")
    with pytest.raises(BeadscopeError, match="is not the output of a batch"):
        merge([one, tmp_path / "none"], tmp_path / "all")
