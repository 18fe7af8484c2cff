"""Brownian motion against equipartition, correlation and blur; force, twist, orbit, drift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.simulated import SimulatedOptions
from napari_beadscope.devices.simulated.brownian import Brownian
from napari_beadscope.devices.simulated.motion import BeadMotion
from napari_beadscope.devices.simulated.tether import Tether

SPRINGS = np.array([6e-4, 7e-4, 5e-3])


def _path(options: SimulatedOptions, frames: int, springs: np.ndarray = SPRINGS) -> np.ndarray:
    motion = Brownian(options, SPRINGS)
    return np.stack([motion.offsets_nm(frame, springs) for frame in range(frames)])


def _blurred(part: np.ndarray) -> np.ndarray:
    """Variance of a mean over `part` correlation times, over that of the position."""
    return 2 * (part + np.expm1(-part)) / part**2


@pytest.mark.parametrize(
    ("fps", "exposure_ms", "stiffer"), [(50.0, 0.2, 1), (1000.0, 0.2, 1), (200.0, 5.0, 8)]
)
def test_variance_is_that_of_equipartition_less_the_exposure_s_blur(
    fps: float, exposure_ms: float, stiffer: float
) -> None:
    options = SimulatedOptions(beads=60, fps=fps, exposure_ms=exposure_ms)
    springs = SPRINGS * stiffer
    path = _path(options, 6000, springs)
    rate = springs / options.drag_pn_s_per_nm
    expected = options.thermal_pn_nm / springs * _blurred(rate * exposure_ms * 1e-3)
    independent = 60 * 6000 * np.minimum(rate / fps, 1)
    found = np.mean(path**2, axis=(0, 1))
    assert (np.abs(found / expected - 1) < 5 * np.sqrt(2 / independent)).all()
    mean = path.mean(axis=(0, 1))
    assert (np.abs(mean) < 5 * np.sqrt(2 * expected / independent)).all()


def test_correlation_decays_with_drag_over_stiffness_also_across_chunks() -> None:
    options = SimulatedOptions(beads=200, fps=1000.0)
    motion = Brownian(options, SPRINGS)
    for stiffer in (1.0, 5.0):  # of the spring that holds them now
        springs = SPRINGS * stiffer
        rate = springs[0] / options.drag_pn_s_per_nm / options.fps
        for first in (100, motion._length - 5):  # inside a chunk, and across its end
            start = motion.offsets_nm(first, springs)[:, 0]
            for lag in (1, 10, 30):
                later = motion.offsets_nm(first + lag, springs)[:, 0]
                found = np.mean(start * later) / np.sqrt(np.mean(start**2) * np.mean(later**2))
                assert found == pytest.approx(np.exp(-rate * lag), abs=0.2)
    steps = [
        np.std(motion.offsets_nm(k + 1, SPRINGS) - motion.offsets_nm(k, SPRINGS), axis=0)
        for k in range(motion._length - 20, motion._length + 20)
    ]
    seam = steps[19]
    assert (np.abs(seam / np.median(steps, axis=0) - 1) < 0.25).all()


def test_means_of_a_whole_exposure_are_those_of_a_finely_sampled_path() -> None:
    """Covariance of neighbouring frames' means, against its closed form."""
    options = SimulatedOptions(beads=100, fps=100.0, exposure_ms=10.0)
    path = _path(options, 3000)
    rate = SPRINGS / options.drag_pn_s_per_nm / options.fps
    overlap = (np.expm1(-rate) / rate) ** 2  # cov(mean, next mean) / (kT / k)
    expected = options.thermal_pn_nm / SPRINGS * overlap
    found = np.mean(path[1:] * path[:-1], axis=(0, 1))
    assert found == pytest.approx(expected, rel=0.05)


def test_beads_and_axes_move_independently() -> None:
    path = _path(SimulatedOptions(beads=10, fps=20.0), 2000).reshape(2000, -1)
    match = np.corrcoef(path.T) - np.eye(path.shape[1])
    assert np.abs(match).max() < 0.15


def test_a_spring_that_changes_little_by_little_makes_no_jumps() -> None:
    options = SimulatedOptions(beads=50, fps=1000.0)
    motion = Brownian(options, SPRINGS)
    path = [motion.offsets_nm(7, SPRINGS * stiffer) for stiffer in np.linspace(1, 3, 200)]
    sigma = np.sqrt(options.thermal_pn_nm / SPRINGS)
    assert (np.abs(np.diff(path, axis=0)) / sigma).max() < 0.15


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50000), st.floats(0, 10)), min_size=1, max_size=12))
def test_any_order_of_asking_gives_the_same_positions(asked: list[tuple[int, float]]) -> None:
    options = SimulatedOptions(beads=2, fps=500.0)
    motion = BeadMotion(options)
    for frame, magnet in asked:
        again = BeadMotion(options)
        assert np.array_equal(motion.offsets_nm(frame, magnet), again.offsets_nm(frame, magnet))


def test_seeds_differ() -> None:
    one, two = (BeadMotion(SimulatedOptions(seed=seed)).offsets_nm(5, 0.0) for seed in (1, 2))
    assert not np.allclose(one, two)


def test_magnet_raises_force_height_and_stiffness() -> None:
    options = SimulatedOptions(beads=1, drift_nm=0, drift_z_nm=0)
    tether = Tether(options)
    assert tether.force_pn(0) == options.force_pn
    assert tether.force_pn(options.magnet_decay_mm) == pytest.approx(np.e * options.force_pn)
    heights = [tether.extension_nm(magnet) for magnet in (0, 1, 3, 10)]
    assert heights == sorted(heights)
    assert heights[-1] < options.contour_nm
    step = 1e-3
    for magnet in (0.0, 5.0):
        x, y, z = tether.springs(magnet)
        force, length = tether.force_pn(magnet), tether.extension_nm(magnet)
        assert x == pytest.approx(force / length)  # a pendulum, short along the field
        assert y == pytest.approx(force / (length + options.bead_radius_nm))
        # the chain's own force law gives the axial stiffness: dF/dz
        forces, lengths = (
            np.diff([law(magnet - step), law(magnet + step)])[0]
            for law in (tether.force_pn, tether.extension_nm)
        )
        assert z == pytest.approx(forces / lengths, rel=1e-3)
    motion = BeadMotion(options.changed(brownian=False))
    rise = motion.offsets_nm(9, 5.0) - motion.offsets_nm(9, 0.0)
    assert rise[0] == pytest.approx([0, 0, tether.extension_nm(5) - tether.extension_nm(0)])


def test_springs_that_are_given_hold_at_rest_and_change_as_the_tether_s() -> None:
    own, given = Tether(SimulatedOptions()), Tether(SimulatedOptions(kx_pn_per_nm=1e-3))
    assert given.springs(0.0)[0] == pytest.approx(1e-3)
    assert given.springs(4.0) / given.springs(0.0) == pytest.approx(
        own.springs(4.0) / own.springs(0.0)
    )
    assert given.springs(4.0)[1:] == pytest.approx(own.springs(4.0)[1:])
    untethered = Tether(SimulatedOptions(contour_nm=0))
    assert untethered.extension_nm(3.0, 20.0) == 0
    assert untethered.springs(2.5) == pytest.approx(np.e * untethered.springs(0.0))


@pytest.mark.parametrize("magnet", [-2.0, 0.0, 2.0])
def test_turns_shorten_the_tether_once_it_buckles(magnet: float) -> None:
    tether = Tether(SimulatedOptions())
    turns = np.linspace(-40, 40, 161)
    length = np.array([tether.extension_nm(magnet, turn) for turn in turns])
    assert length == pytest.approx(length[::-1])
    assert length.argmax() == 80
    assert length.max() == pytest.approx(tether.extension_nm(magnet))
    assert length[-1] == pytest.approx(100)  # a tenth of the contour, the bead on the surface
    assert (np.diff(length[80:]) <= 1e-9).all()
    assert np.abs(np.diff(length)).max() < 100  # without a jump
    slope = np.diff(length[80:]) / 0.5
    steep = slope[slope < -5]
    assert np.median(steep) == pytest.approx(steep.min(), rel=0.1)  # the same for every turn


def test_more_force_buckles_later_and_shortens_less_per_turn() -> None:
    tether = Tether(SimulatedOptions(force_pn=0.5))
    straight = tether.extension_nm(0.0)
    assert tether.extension_nm(0.0, 4) > 0.96 * straight
    assert tether.extension_nm(0.0, 8) < 0.75 * straight
    assert tether.extension_nm(4.0, 8) > 0.97 * tether.extension_nm(4.0)  # 2.5 pN


def test_turning_takes_each_bead_around_its_own_circle() -> None:
    options = SimulatedOptions(brownian=False, drift_nm=0, drift_z_nm=0, orbit_nm=200, beads=5)
    motion = BeadMotion(options.changed(stuck_beads=1))
    turns = np.linspace(0, 1, 41)
    places = np.array([motion.offsets_nm(3, 0.0, turn) for turn in turns])[:, 1:, :2]
    centre = places[:-1].mean(axis=0)
    assert np.hypot(*(places - centre).T) == pytest.approx(200)
    assert places[0] == pytest.approx(0, abs=1e-9)
    assert places[-1] == pytest.approx(places[0], abs=1e-9)
    assert len(np.unique(centre.round(3))) == centre.size
    stuck = [motion.offsets_nm(3, 0.0, turn)[0] for turn in turns]
    assert np.ptp(stuck, axis=0) == pytest.approx(0)


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
        stuck = motion.drift_nm(frame) - (0, 0, motion.tether.extension_nm(0.0))
        assert offsets[:2] == pytest.approx(np.tile(stuck, (2, 1)))
        assert np.array_equal(offsets[2:], free.offsets_nm(frame, magnet_mm)[2:])
    with pytest.raises(InputError, match="6 stuck beads of 5 beads are too many"):
        options.changed(stuck_beads=6)


def test_still_beads_stand_still() -> None:
    options = SimulatedOptions(brownian=False, drift_nm=0, drift_z_nm=0)
    assert not BeadMotion(options).offsets_nm(123, 0.0).any()
