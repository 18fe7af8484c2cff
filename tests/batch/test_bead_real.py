"""Real recordings through the steps for beads: no truth, but what must hold does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_beadscope.batch.beads.tables import read_tracks
from napari_beadscope.testing.service_chain import Chain

STEPS = ("find_beads", "track_beads", "link_beads", "smooth", "summary")


def test_a_bead_in_a_real_trap_is_tracked_over_chunks(tmp_path: Path, data_dir: Path) -> None:
    frames = tifffile.imread(data_dir / "tweezed_bead_real.tif")
    chain = Chain(tmp_path, frames, chunk_frames=100, interval_s=0.04)
    for step in STEPS:
        chain.run(step, **({"max_beads": 1} if step == "find_beads" else {}))
    rows = read_tracks(chain.outputs["link_beads"][0])
    assert rows["frame"].tolist() == list(range(401))
    assert set(rows["bead"]) == {0}
    good = rows["reason"] == 0
    assert good.mean() > 0.85  # the bacterium crosses the bead now and then
    steps = np.hypot(np.diff(rows["x_px"][good]), np.diff(rows["y_px"][good]))
    assert steps.max() < 3
    smooth = read_tracks(chain.outputs["smooth"][0])
    assert np.isfinite(smooth["x_nm"]).mean() > 0.98


def test_a_real_field_that_is_moved_is_followed(tmp_path: Path, data_dir: Path) -> None:
    field = np.asarray(Image.open(data_dir / "mt_field_real.jpg").convert("L"))
    rng = np.random.default_rng(0)
    shifts = [(0, 0), (0, 0), (14, -9), (15, -9), (28, -21), (28, -20)]
    frames = np.stack([np.roll(field, by, axis=(0, 1)) for by in shifts])
    frames = np.clip(frames + rng.normal(0, 1, frames.shape), 0, 255).astype(np.uint8)
    chain = Chain(tmp_path, frames, chunk_frames=2)
    for step in STEPS[:3]:
        chain.run(step, **({"roi_size_px": 64} if step == "find_beads" else {}))
    rows = read_tracks(chain.outputs["link_beads"][0])
    good = rows[rows["reason"] == 0]
    beads = np.unique(good["bead"])
    assert len(beads) >= 60
    for facts, (down, right) in zip(chain.facts["track_beads"][1:], shifts[2::2]):
        assert (facts["shift_y_px"], facts["shift_x_px"]) == pytest.approx((down, right), abs=0.1)
    y, x = (good[name] - np.array(shifts)[good["frame"], axis]
            for axis, name in enumerate(("y_px", "x_px")))  # fmt: skip
    spread = [max(np.std(y[good["bead"] == b]), np.std(x[good["bead"] == b])) for b in beads]
    assert np.median(spread) < 0.005
    assert max(spread) < 0.3
