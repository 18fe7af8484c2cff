"""Brownian motion against equipartition and its correlation time; force, stiffness, drift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.simulated import SimulatedOptions
from napari_beadscope.devices.simulated.motion import BeadMotion


def _path(options: SimulatedOptions, frames: int) -> np.ndarray:
    motion = BeadMotion(options)
    return np.stack([motion.brownian_nm(frame) for frame in range(frames)])


@pytest.mark.parametrize("fps", [50.0, 1000.0])
def test_variance_is_that_of_equipartition(fps: float) -> None:
    options = SimulatedOptions(beads=60, fps=fps)
    path = _path(options, 6000)
    springs = np.array([options.kx_pn_per_nm, options.ky_pn_per_nm, options.kz_pn_per_nm])
    expected = options.thermal_pn_nm / springs
    independent = 60 * 6000 * np.minimum(springs / options.drag_pn_s_per_nm / fps, 1)
    found = np.mean(path**2, axis=(0, 1))
    assert (np.abs(found / expected - 1) < 5 * np.sqrt(2 / independent)).all()
    mean = path.mean(axis=(0, 1))
    assert (np.abs(mean) < 5 * np.sqrt(2 * expected / independent)).all()


def test_correlation_decays_with_drag_over_stiffness_also_across_chunks() -> None:
    options = SimulatedOptions(beads=200, fps=1000.0)
    motion = BeadMotion(options)
    rate = options.kx_pn_per_nm / options.drag_pn_s_per_nm / options.fps
    for first in (100, motion._length - 5):  # inside a chunk, and across its end
        start = motion.brownian_nm(first)[:, 0]
        for lag in (1, 10, 30):
            later = motion.brownian_nm(first + lag)[:, 0]
            found = np.mean(start * later) / np.sqrt(np.mean(start**2) * np.mean(later**2))
            assert found == pytest.approx(np.exp(-rate * lag), abs=0.2)
    steps = [
        np.std(motion.brownian_nm(frame + 1) - motion.brownian_nm(frame), axis=0)
        for frame in range(motion._length - 20, motion._length + 20)
    ]
    seam = steps[19]
    assert (np.abs(seam / np.median(steps, axis=0) - 1) < 0.25).all()


def test_beads_and_axes_move_independently() -> None:
    path = _path(SimulatedOptions(beads=10, fps=20.0), 2000).reshape(2000, -1)
    match = np.corrcoef(path.T) - np.eye(path.shape[1])
    assert np.abs(match).max() < 0.15


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 50000), min_size=1, max_size=12))
def test_any_order_of_asking_gives_the_same_positions(frames: list[int]) -> None:
    options = SimulatedOptions(beads=2, fps=500.0)
    motion = BeadMotion(options)
    for frame in frames:
        again = BeadMotion(options)
        assert np.array_equal(motion.offsets_nm(frame, 1.0), again.offsets_nm(frame, 1.0))


def test_seeds_differ() -> None:
    one, two = (BeadMotion(SimulatedOptions(seed=seed)).offsets_nm(5, 0.0) for seed in (1, 2))
    assert not np.allclose(one, two)


def test_magnet_raises_force_height_and_stiffness() -> None:
    options = SimulatedOptions(beads=1, drift_nm=0, drift_z_nm=0)
    motion = BeadMotion(options)
    assert motion.force_pn(0) == options.force_pn
    assert motion.force_pn(options.magnet_decay_mm) == pytest.approx(np.e * options.force_pn)
    heights = [motion.extension_nm(magnet) for magnet in (0, 1, 3, 10)]
    assert heights == sorted(heights)
    assert heights[-1] < options.contour_nm
    rest, pulled = motion.offsets_nm(9, 0.0)[0], motion.offsets_nm(9, 5.0)[0]
    force = motion.force_pn(5) / motion.force_pn(0)
    longer = motion.extension_nm(5) / motion.extension_nm(0)
    assert pulled[0] == pytest.approx(rest[0] * np.sqrt(longer / force))
    # the chain's own force law gives the axial stiffness: dF/dz
    step = 1e-3
    slope = [
        (motion.force_pn(m + step) - motion.force_pn(m - step))
        / (motion.extension_nm(m + step) - motion.extension_nm(m - step))
        for m in (0.0, 5.0)
    ]
    assert slope[1] / slope[0] == pytest.approx(force**1.5, rel=1e-3)


def test_drift_is_slow_smooth_and_of_the_stated_size() -> None:
    options = SimulatedOptions(drift_nm=100, drift_z_nm=50, fps=1)
    drift = np.stack([BeadMotion(options).drift_nm(frame) for frame in range(0, 4000, 10)])
    assert np.array_equal(drift[0], np.zeros(3))
    assert np.std(drift, axis=0) == pytest.approx([100, 100, 50], rel=0.5)
    per_second = [
        BeadMotion(options).drift_nm(k + 1) - BeadMotion(options).drift_nm(k) for k in (5, 500)
    ]
    assert np.abs(per_second).max() < 20  # fmt: skip


def test_steady_drift_is_added_to_the_swing() -> None:
    options = SimulatedOptions(fps=50, drift_rate_x_nm_per_s=20, drift_rate_z_nm_per_s=-3)
    swing = BeadMotion(options.changed(drift_rate_x_nm_per_s=0, drift_rate_z_nm_per_s=0))
    for frame, seconds in ((0, 0.0), (25, 0.5), (30000, 600.0)):
        steady = BeadMotion(options).drift_nm(frame) - swing.drift_nm(frame)
        assert steady == pytest.approx([20 * seconds, 0, -3 * seconds])
    calm = options.changed(drift_nm=0, drift_z_nm=0, brownian=False)
    assert BeadMotion(calm).offsets_nm(500, 0.0) == pytest.approx(
        np.tile([200, 0, -30], (calm.beads, 1))
    )


def test_stuck_beads_move_with_the_stage_alone() -> None:
    options = SimulatedOptions(beads=5, stuck_beads=2, drift_rate_x_nm_per_s=20)
    motion, free = BeadMotion(options), BeadMotion(options.changed(stuck_beads=0))
    for frame, magnet_mm in ((0, 0.0), (1234, 7.0)):
        offsets = motion.offsets_nm(frame, magnet_mm)
        stuck = motion.drift_nm(frame) - (0, 0, motion.extension_nm(0.0))
        assert offsets[:2] == pytest.approx(np.tile(stuck, (2, 1)))
        assert np.array_equal(offsets[2:], free.offsets_nm(frame, magnet_mm)[2:])
    with pytest.raises(InputError, match="6 stuck beads of 5 beads are too many"):
        options.changed(stuck_beads=6)


def test_still_beads_stand_still() -> None:
    options = SimulatedOptions(brownian=False, drift_nm=0, drift_z_nm=0)
    assert not BeadMotion(options).offsets_nm(123, 0.0).any()
