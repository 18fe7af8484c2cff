"""The whole way on the simulated microscope: find, make a Z-LUT, track, compare with the truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.core.types import Reason
from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.tracking import beads_from_found, build_zlut, find_beads, track_stack

SIZE_PX = 64


@pytest.fixture(scope="module")
def microscope() -> SimulatedMicroscope:
    return SimulatedMicroscope({"beads": 15, "height_px": 560, "width_px": 600, "seed": 3})


def test_positions_are_the_truth(microscope: SimulatedMicroscope) -> None:
    rng = np.random.default_rng(0)
    z = np.arange(0.0, 4001.0, 50.0)
    lut = build_zlut(microscope.focus_sweep(z, 0, SIZE_PX, rng.uniform(-0.5, 0.5, 2)), z)

    found = find_beads(microscope.render(0), size_px=SIZE_PX)
    beads = beads_from_found(found, microscope.format.shape, SIZE_PX)
    assert len(beads) == 15
    corner = np.array([(bead.roi.x0, bead.roi.y0) for bead in beads])

    errors = []
    for frame in range(12):
        image, truth = microscope.render(frame), microscope.truth([frame])[0]
        result = track_stack(np.stack([bead.roi.crop(image) for bead in beads]), lut)
        assert (result.reason == Reason.OK).all()
        assert (result.quality > 0.8).all()
        where = np.column_stack([result.x_px, result.y_px]) + corner
        who = np.argmin(((where[:, np.newaxis] - truth[:, :2]) ** 2).sum(axis=2), axis=1)
        assert len(set(who)) == 15
        errors.append(np.column_stack([where, result.z_nm]) - truth[who])
    x, y, height = np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0))
    assert x < 0.03
    assert y < 0.03
    assert height < 25


@pytest.mark.parametrize("focus_um", [-2.0, 0.0, 2.0])
def test_every_bead_is_found_at_any_focus(microscope: SimulatedMicroscope, focus_um: float) -> None:
    found = find_beads(microscope.render(0, focus_um))
    for x, y, _ in microscope.truth([0], focus_um)[0]:
        assert np.hypot(found.x_px - x, found.y_px - y).min() < 1.0
