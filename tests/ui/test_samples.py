"""File → Open Sample: a pull that was recorded and a focus sweep to build a Z-LUT from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_beadscope.script import samples
from napari_beadscope.storage import open_recording
from napari_beadscope.tracking import build_zlut
from napari_beadscope.ui import sample
from napari_beadscope.ui.opened import annotations_in, beads_in, opened_of

PLUGIN = "napari-beadscope"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def viewer(
    make_napari_viewer: Callable[..., Any], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(sample, "_cache", lambda: cache)
    return make_napari_viewer()


def test_the_pull_is_a_recording_in_which_force_shows(viewer: Any, cache: Path) -> None:
    video, tracks, beads = viewer.open_sample(PLUGIN, "pull")
    recording = open_recording(cache / "samples-1" / "recorded_pull")
    assert recording.manifest.state == "complete"
    assert video.data.shape == (600, 256, 256)
    assert beads_in(beads, 0, 0) == recording.beads
    assert len(recording.beads) >= 4
    assert set(annotations_in(beads.features)) == {bead.bead for bead in recording.beads}
    rows = recording.tracks
    assert (rows["reason"] == 0).mean() > 0.95
    for bead in recording.beads:
        one = rows[rows["bead"] == bead.bead]
        slack, pulled = one[one["frame"] < 100], one[one["frame"] >= 500]
        assert np.nanmean(pulled["z_nm"]) - np.nanmean(slack["z_nm"]) > 200  # the tether is longer
        assert np.nanstd(slack["x_nm"]) > 2 * np.nanstd(pulled["x_nm"])  # and stiffer
    before = (cache / "samples-1" / "recorded_pull" / "tracks.csv").stat().st_mtime_ns
    viewer.open_sample(PLUGIN, "pull")  # is kept
    assert (cache / "samples-1" / "recorded_pull" / "tracks.csv").stat().st_mtime_ns == before
    assert [one.name for one in (cache / "samples-1").iterdir()] == ["recorded_pull"]
    assert tracks.features["z_nm"].notna().mean() > 0.95


def test_a_pull_that_could_not_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        if done == 3:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        samples.record_pull(tmp_path / "pull", fail)
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_makes_a_zlut(viewer: Any, tmp_path: Path) -> None:
    stack, beads = viewer.open_sample(PLUGIN, "sweep")
    z_nm = np.array(stack.metadata["z_nm"])
    assert len(stack.data) == len(z_nm)
    np.testing.assert_allclose(stack.data_to_world((3, 0, 0))[0] * 1000, z_nm[3])
    assert opened_of(stack) is opened_of(beads)
    for bead in beads_in(beads, 0, 0)[:1]:
        zlut = build_zlut(np.ascontiguousarray(bead.roi.crop(stack.data)), z_nm)
        assert len(zlut.z_nm) == len(z_nm)
    viewer.layers.selection = {stack}
    (path,) = viewer.layers.save(str(tmp_path / "sweep.ome.tif"), selected=True)
    with tifffile.TiffFile(path) as file:
        assert 'SizeZ="70"' in file.ome_metadata
        assert 'PhysicalSizeZ="0.05"' in file.ome_metadata
