"""The whole loop by a script: find, sweep, lock, ramp and record, and what comes of it."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.types import Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope, SimulatedOptions
from napari_beadscope.devices.simulated.tether import Tether
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import open_recording
from napari_beadscope.storage.reader import Recording
from napari_beadscope.testing.audit import audit
from napari_beadscope.tracking import ZLut
from napari_beadscope.tracking.backend import open_backend

EXAMPLE = Path(__file__).parents[2] / "examples" / "force_ramp.py"
ROI_PX = 60
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the example in a folder of its own; return its names."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("ramp"))
    try:
        return runpy.run_path(str(EXAMPLE)) | {"folder": Path.cwd()}
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def recording(ramp: dict[str, Any]) -> Recording:
    """What it has recorded."""
    (folder,) = (ramp["folder"] / "recordings").glob("*_force-ramp")
    assert audit(folder) == []
    return open_recording(folder)


def test_z_is_as_good_as_with_the_simulators_own_zlut(ramp: dict[str, Any]) -> None:
    """On the same frames; z = 0 is anywhere, so one offset for all beads is free."""
    calm = {name: value for name, value in ramp["MICROSCOPE"].items() if "drift" not in name}
    microscope = SimulatedMicroscope({**calm, "drift_nm": 0.0, "drift_z_nm": 0.0})
    zluts = {"own": simulated_zlut(microscope, ROI_PX)}
    (swept,) = (ramp["folder"] / "recordings").glob("*_zlut/zlut.txt")
    zluts["swept"] = ZLut.load(swept)
    rois = [Roi.around(y, x, ROI_PX) for x, y in microscope.bead_positions_px()]
    backend = open_backend("cpu", method="precise")
    off: dict[str, list[np.ndarray]] = {name: [] for name in zluts}
    for frame in range(0, 3000, 20):
        magnet_mm = 9 * frame / 3000
        image = microscope.render(frame, 0.0, magnet_mm)
        true_nm = microscope.truth([frame], 0.0, magnet_mm)[0, :, 2]
        for name, zlut in zluts.items():
            found = backend.track(np.stack([roi.crop(image) for roi in rois]), zlut)
            off[name].append(np.where(found.reason == 0, found.z_nm, np.nan) - true_nm)
    assert np.isfinite(off["own"]).all()
    assert np.isfinite(off["swept"]).mean() > 0.7  # beads at the end of the range may leave it
    assert np.nanstd(off["swept"]) < 1.3 * np.nanstd(off["own"])
    assert np.nanstd(off["own"]) < 5


def test_beads_and_focus_are_held_through_the_ramp(
    ramp: dict[str, Any], recording: Recording
) -> None:
    rows = recording.tracks
    assert set(rows["bead"]) == set(ramp["beads"])
    assert len(rows) == len(ramp["beads"]) * len(recording.frame_numbers)
    assert (rows["reason"] == 0).mean() > 0.99
    assert len(ramp["stuck"]) == 2
    settled = rows[(rows["time_s"] > 1) & np.isin(rows["bead"], ramp["stuck"])]
    for one in ramp["stuck"]:  # both are held at their mean height, which is z = 0
        assert np.nanmean(settled["z_nm"][settled["bead"] == one]) == pytest.approx(0, abs=60)
    frames = [settled["z_nm"][settled["bead"] == one] for one in ramp["stuck"]]
    middle_nm = np.mean(frames, axis=0)
    assert np.sqrt(np.nanmean(middle_nm**2)) < 15


def test_lengths_and_forces_are_those_of_the_magnet(ramp: dict[str, Any]) -> None:
    tether = Tether(SimulatedOptions(**ramp["MICROSCOPE"]))
    height_mm, length_nm, force_pn = np.array(ramp["results"]).T
    assert height_mm.tolist() == pytest.approx(range(10))
    true_nm = np.array([tether.extension_nm(one) for one in height_mm])
    true_pn = np.array([tether.force_pn(one) for one in height_mm])
    assert length_nm == pytest.approx(true_nm, abs=15)
    ratio = force_pn / true_pn
    assert ratio.mean() == pytest.approx(1, abs=0.2)
    assert 0.5 < ratio.min() <= ratio.max() < 2
