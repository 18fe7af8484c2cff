"""Results of a batch as layers: what is where, chosen and judged, and nothing changed on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import batches
import numpy as np
import pytest
from napari.layers import Layer

from napari_beadscope.batch.flags import Flag, change_flags
from napari_beadscope.core.errors import InputError
from napari_beadscope.ui import reader
from napari_beadscope.ui.batch_layers import read_batch
from napari_beadscope.ui.batch_look import look_at
from napari_beadscope.ui.batch_position import open_position


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A batch of two positions, of which the second has failed."""
    return batches.make_results(tmp_path)


def made(layers: list[Any]) -> dict[str, Any]:
    """Real layers by the names of their classes, the last of each."""
    return {kind: Layer.create(data, attributes, kind) for data, attributes, kind in layers}


def test_a_batch_is_known_by_its_folder_its_files_and_its_positions(
    out: Path, tmp_path: Path
) -> None:
    for place in (out, out / "journal.sqlite", out / "positions" / "a"):
        assert reader.get_reader(str(place)) is read_batch, place
    assert reader.get_reader(str(tmp_path)) is None
    assert reader.get_reader(str(out / "positions")) is None
    (tmp_path / "journal.sqlite").mkdir()
    assert reader.get_reader(str(tmp_path)) is None


def test_a_position_opens_with_frames_labels_tracks_and_numbers(out: Path) -> None:
    layers = read_batch(str(out))
    assert [kind for _, _, kind in layers] == ["image", "image", "labels", "tracks", "points"]
    assert {attributes["scale"][-2:] for _, attributes, _ in layers} == {(0.2, 0.2)}
    assert all(one["name"].split()[0] == "a" for _, one, _ in layers)
    frames = layers[1][0]
    assert frames.shape == (batches.FRAMES, batches.SIDE, batches.SIDE)
    assert frames[5].mean() == pytest.approx(525, abs=5)
    assert np.asarray(frames[1:3, 4, 5]).shape == (2,)
    drawn = made(layers)
    assert drawn["tracks"].graph == {1: [0]}
    assert len(drawn["points"].data) == 10
    assert drawn["points"].features["intensity_total_c1"].max() == 1001


def test_light_that_comes_late_is_not_cut_off(out: Path) -> None:
    images = [(data, about) for data, about, kind in read_batch(out) if kind == "image"]
    assert len(images) == 2
    for frames, about in images:
        low, high = about["contrast_limits"]
        assert low < np.median(frames[3])
        assert high > np.median(frames[batches.FRAMES - 1])


def test_labels_have_the_number_of_their_cell_in_every_frame(out: Path) -> None:
    cells = next(data for data, _, kind in read_batch(out) if kind == "labels")
    for frame in range(batches.FRAMES):
        mask = cells[frame]
        for cell, (y, x) in batches.CELLS.items():
            there = cell == 0 or frame >= 2
            assert mask[y, x + frame] == (cell + 1 if there else 0)
        assert int((mask > 0).sum()) == 81 * (2 if frame >= 2 else 1)


def test_what_is_not_there_is_told_and_the_rest_is_shown(out: Path, tmp_path: Path) -> None:
    (tmp_path / "a.tif").unlink()
    opened = open_position(out, "a")
    assert not opened.channels
    assert "frames of a cannot be shown" in opened.notes[0]
    assert opened.labels.shape == (batches.FRAMES, batches.SIDE, batches.SIDE)
    failed = open_position(out, "b")
    assert failed.labels is None
    assert failed.tables == ()
    assert [kind for _, _, kind in read_batch(out / "positions" / "a")] == [
        "labels",
        "tracks",
        "points",
    ]
    with pytest.raises(InputError, match="no position c"):
        open_position(out, "c")


def test_flags_are_seen_and_results_stay_as_they_are(out: Path) -> None:
    before = {path: path.read_bytes() for path in (out / "positions").rglob("*.*")}
    change_flags(out, {("a", "cell", 1): Flag(False, "dust"), ("b", "cell", 0): Flag(True)})
    drawn = made(read_batch(out))
    features = drawn["points"].features
    assert set(features.loc[features["cell"] == 1, "good"]) == {"no"}
    assert set(features.loc[features["cell"] == 0, "good"]) == {""}
    named = drawn["labels"].features.set_index("cell")
    assert named.loc[1, "note"] == "dust"
    assert before == {path: path.read_bytes() for path in before}


def test_beads_are_shown_where_they_mostly_are(tmp_path: Path) -> None:
    out = batches.make_results(tmp_path, ("a",))
    for path in (out / "positions" / "a" / "extract").iterdir():
        path.write_text(path.read_text().replace("position,cell,", "position,bead,"))
    (out / "positions" / "a" / "track.csv").write_text("position,bead,noise_nm\na,0,3.5\na,1,4.5\n")
    opened = open_position(out)
    assert opened.kind == "bead"
    assert opened.sums["noise_nm"].tolist() == [3.5, 4.5]
    drawn = made(read_batch(out))
    assert drawn["points"].data.tolist() == [[12, 22.5], [40, 47.5]]
    assert drawn["points"].ndim == 2


def test_a_large_table_is_thinned_evenly(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_beadscope.ui.batch_position.MOST_BYTES", 300)
    opened = open_position(out, "a")
    assert opened.table is not None
    assert opened.table.every == 2
    assert set(opened.table.rows["frame"]) == {0, 2, 4}
    tracks = next(one for _, one, kind in read_batch(out) if kind == "tracks")
    assert tracks["name"].endswith("(every 2. frame)")


def test_a_look_at_a_batch_says_how_far_it_is(out: Path, tmp_path: Path) -> None:
    look = look_at(out)
    assert look.state == "failed"
    assert [(s.position, s.step, s.done, s.failed, s.blocked) for s in look.steps] == [
        ("a", "segment", 2, 0, 0),
        ("a", "track", 1, 0, 0),
        ("a", "extract", 2, 0, 0),
        ("b", "segment", 0, 2, 0),
        ("b", "track", 0, 0, 1),
        ("b", "extract", 0, 0, 2),
    ]
    assert [row.error for row in look.failures] == ["the disk has a hole"] * 2
    assert look_at(tmp_path / "elsewhere").state == "new"
