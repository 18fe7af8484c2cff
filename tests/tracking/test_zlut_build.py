"""From a focus sweep to a Z-LUT: smooth, unbiased, and not taken in by bad frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline, RectBivariateSpline

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Reason
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import ZLut, build_zlut, track_stack
from napari_beadscope.tracking.rings import fit_rings, sample
from napari_beadscope.tracking.smoothing import smooth
from napari_beadscope.tracking.zlut_build import measure_sweep
from napari_beadscope.tracking.zlut_report import report_sweep

SIZE_PX = 64
ELECTRONS = 10_000.0
LIGHT = 127.5  # counts of the background in the simulated sweeps


@pytest.fixture(scope="module")
def microscope() -> SimulatedMicroscope:
    return SimulatedMicroscope({"beads": 1, "height_px": 200, "width_px": 200})


def swept(
    microscope: SimulatedMicroscope, z_nm: np.ndarray, places: np.ndarray, seed: int | None = None
) -> np.ndarray:
    """Return one uint8 image per height, with the noise of 10 ke if there is a seed."""
    images = np.concatenate(
        [
            microscope.focus_sweep([z], size_px=SIZE_PX, offset_px=(float(x), float(y)))
            for z, (x, y) in zip(z_nm, places, strict=True)
        ]
    )
    if seed is None:
        return images
    electrons = images / LIGHT * ELECTRONS
    noisy = electrons + np.random.default_rng(seed).normal(0, np.sqrt(electrons))
    return np.clip(np.rint(noisy / ELECTRONS * LIGHT), 0, 255).astype(np.uint8)


def at(x_px: float, y_px: float, n: int) -> np.ndarray:
    return np.tile([x_px, y_px], (n, 1))


def true_profiles(
    microscope: SimulatedMicroscope, z_nm: np.ndarray, radius_px: np.ndarray
) -> np.ndarray:
    table = microscope._table
    heights = table.z_first_nm + table.z_step_nm * np.arange(table.contrast.shape[0])
    radius = table.r_step_nm * np.arange(table.contrast.shape[1])
    spline = RectBivariateSpline(heights, radius, table.contrast.astype(float))
    return spline(z_nm, radius_px * microscope.options.nm_per_px)


def test_planes_are_the_true_profiles(microscope: SimulatedMicroscope) -> None:
    z = np.arange(1000.0, 3001.0, 100.0)
    lut = build_zlut(swept(microscope, z, at(0.3, -0.2, len(z))), z)
    assert (lut.radial_step_px, lut.bins, lut.reach_px, lut.size_px) == (0.25, 128, 31.75, 64)
    true = true_profiles(microscope, z, np.arange(lut.bins) * 0.25)
    for profile, expected in zip(lut.profiles[:, 4:], true[:, 4:], strict=True):
        design = np.column_stack([expected, np.ones(len(expected))])
        missed = profile - design @ np.linalg.lstsq(design, profile, rcond=None)[0]
        assert missed.std() < 0.2  # counts: half of what rounding to integers makes of one pixel


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.5), (0.3, -0.2), (0.5, 0.0)])
def test_where_between_pixels_the_bead_rests_does_not_matter(place: tuple[float, float]) -> None:
    """One place is enough: profiles of sweeps at different places agree to 0.5 % of the rings."""
    z = np.arange(-500.0, 501.0, 100.0)
    x, y = place
    middle = np.full(len(z), 31.5)
    one = build_zlut(rings(middle + x, middle + y, z, SIZE_PX), z)
    r = np.arange(one.bins) * 0.25
    wanted = ring_profile(z, r)
    np.testing.assert_allclose(one.profiles[:, 6:], wanted[:, 6:], atol=0.3)
    np.testing.assert_allclose(one.profiles[:, :6], wanted[:, :6], atol=3.0)


def ring_profile(z_nm: np.ndarray, radius_px: np.ndarray, size_px: int = SIZE_PX) -> np.ndarray:
    """What `rings` shows at a distance from the centre."""
    z = z_nm[:, np.newaxis]
    width = size_px * (0.16 + z / 40_000)
    r = np.sqrt(radius_px**2 + 4.0)
    return 100 + 65 * np.cos(2 * np.pi * (r / 7.0 - z / 4000)) * np.exp(
        -(radius_px**2) / (2 * width**2)
    )


def test_frames_are_recentred() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(29, 34, (2, 12))
    fit = fit_rings(rings(x, y, np.zeros(12), SIZE_PX), x + 0.3, y - 0.3, 31.75)
    np.testing.assert_allclose(fit.x_px, x, atol=0.002)
    np.testing.assert_allclose(fit.y_px, y, atol=0.002)


def test_a_drifting_bead_gives_the_same_planes() -> None:
    z = np.repeat(np.arange(-500.0, 501.0, 100.0), 3)
    drift = np.linspace(-2, 2, len(z))
    still = build_zlut(rings(np.full(33, 31.7), np.full(33, 31.2), z, SIZE_PX), z)
    moving = build_zlut(rings(31.7 + drift, 31.2 - drift, z, SIZE_PX), z)
    assert np.abs(still.profiles - moving.profiles)[:, 6:].max() < 0.4


def test_flicker_of_the_lamp_is_taken_off() -> None:
    z = np.repeat(np.arange(-800.0, 801.0, 80.0), 2)
    middle = np.full(len(z), 31.6)
    steady = rings(middle, middle, z, SIZE_PX)
    flicker = np.random.default_rng(2).normal(1.0, 0.03, len(z))[:, np.newaxis, np.newaxis]
    one, other = build_zlut(steady, z), build_zlut(steady * flicker, z)
    assert np.abs(one.profiles - other.profiles)[:, 6:].std() < 0.3  # of 3 counts


def test_bad_frames_are_left_out_and_named() -> None:
    z = np.repeat(np.arange(-500.0, 501.0, 100.0), 5)
    rng = np.random.default_rng(3)
    middle = np.full(len(z), 31.6)
    stack = rings(middle, middle, z, SIZE_PX) + rng.normal(0, 2, (len(z), SIZE_PX, SIZE_PX))
    clean = build_zlut(stack, z)
    spoilt = stack.copy()
    spoilt[7] = 100.0  # nothing
    spoilt[13] = rings(middle[:1], middle[:1], z[13:14] + 900, SIZE_PX)[0]  # another height
    spoilt[31, :20] = 250.0  # something lies over it
    sweep = measure_sweep(spoilt, z)
    assert {row for rows in sweep.left_out.values() for row in rows} == {7, 13, 31}
    assert np.isnan(sweep.x_px[[7, 13, 31]]).all()
    assert sweep.frames.tolist() == [5, 4, 4, 5, 5, 5, 4, 5, 5, 5, 5]
    assert np.abs(sweep.zlut.profiles - clean.profiles)[:, 6:].std() < 0.3


def test_a_trembling_bead_does_not_blur_the_planes() -> None:
    """Frames of one height that differ by 40 nm (RMS) are told apart and averaged as they are."""
    z = np.repeat(np.arange(-1000.0, 1001.0, 50.0), 8)
    rng = np.random.default_rng(9)
    middle = np.full(len(z), 31.6)
    noise = rng.normal(0, 2, (len(z), SIZE_PX, SIZE_PX))
    still = measure_sweep(rings(middle, middle, z, SIZE_PX) + noise, z)
    assert still.jitter_nm == 0.0
    trembling = z + rng.normal(0, 40, len(z))
    sweep = measure_sweep(rings(middle, middle, trembling, SIZE_PX) + noise, z)
    assert sweep.jitter_nm == pytest.approx(40, rel=0.15)
    r = np.arange(sweep.zlut.bins) * 0.25
    missed = sweep.zlut.profiles[4:-4, 6:] - ring_profile(np.unique(z), r)[4:-4, 6:]
    slope = 65 * 2 * np.pi / 4000  # counts per nm at most
    assert missed.std() < 0.5 * slope * 40 / np.sqrt(8)


def test_dirt_over_a_few_pixels_does_not_shift_a_plane() -> None:
    z = np.repeat(np.arange(-500.0, 501.0, 100.0), 3)
    middle = np.full(len(z), 31.6)
    stack = rings(middle, middle, z, SIZE_PX)
    stack += np.random.default_rng(4).normal(0, 2, stack.shape)
    dirty = stack.copy()
    dirty[:, 8:14, 40:48] += 60.0
    one, other = build_zlut(stack, z), build_zlut(dirty, z)
    assert np.abs(one.profiles - other.profiles)[:, 6:].max() < 2.0


def test_heights_that_differ_by_rounding_are_one() -> None:
    z = np.repeat(np.arange(-500.0, 501.0, 100.0), 2)
    jitter = np.random.default_rng(5).uniform(-0.1, 0.1, len(z))
    middle = np.full(len(z), 31.6)
    assert build_zlut(rings(middle, middle, z, SIZE_PX), z + jitter).planes == 11


def test_noise_free_curves_are_left_alone_and_noisy_ones_smoothed() -> None:
    x = np.arange(50.0)
    curves = np.sin(x[:, np.newaxis] / np.array([4.0, 6.0, 9.0]))
    same, leverage = smooth(x, curves, np.full(curves.shape, 1e-10))
    np.testing.assert_allclose(same, curves, atol=1e-4)
    assert leverage.mean() > 0.8
    noisy = curves + np.random.default_rng(6).normal(0, 0.2, curves.shape)
    better, leverage = smooth(x, noisy, np.full(curves.shape, 0.04))
    assert np.std(better - curves) < 0.7 * np.std(noisy - curves)
    assert leverage.mean() < 0.6
    unknown, _ = smooth(x, noisy)
    assert np.std(unknown - curves) < 0.75 * np.std(noisy - curves)


def test_smoothing_lowers_the_noise_of_the_planes(microscope: SimulatedMicroscope) -> None:
    z = np.arange(1000.0, 3001.0, 50.0)
    places = at(0.3, -0.2, len(z))
    noisy = swept(microscope, z, places, seed=7)
    exact = build_zlut(swept(microscope, z, places), z).profiles
    plain, smoothed = build_zlut(noisy, z, smooth=False).profiles, build_zlut(noisy, z).profiles
    assert np.std((smoothed - exact)[:, 4:]) < 0.8 * np.std((plain - exact)[:, 4:])


@pytest.mark.parametrize("pitch_nm", [100.0, 200.0])
def test_planes_between_are_right_to_a_nanometre(
    microscope: SimulatedMicroscope, pitch_nm: float
) -> None:
    """A cubic through the planes foretells noise-free planes half-way to 1 nm (RMS)."""
    z = np.arange(1000.0, 4001.0, pitch_nm / 2)
    lut = build_zlut(swept(microscope, z, at(0.3, -0.2, len(z))), z)
    curve = CubicSpline(z[::2], lut.profiles[::2])
    errors = []
    root = np.sqrt(np.arange(lut.bins))
    for height, profile in zip(z[5:-5:2], lut.profiles[5:-5:2], strict=True):
        other = np.column_stack([profile * root, root])
        slope = curve(height, 1) * root
        slope -= other @ np.linalg.lstsq(other, slope, rcond=None)[0]
        errors.append(slope @ ((profile - curve(height)) * root) / (slope @ slope))
    assert np.sqrt(np.mean(np.square(errors))) < 1.0


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.5)])
def test_noise_free_beads_show_no_bias(
    microscope: SimulatedMicroscope, place: tuple[float, float]
) -> None:
    """Between planes 100 nm apart and anywhere between pixels: 0.1 nm and 0.0002 px."""

    def exact(z_nm: np.ndarray, places: np.ndarray) -> np.ndarray:
        y, x = np.indices((SIZE_PX, SIZE_PX)) - (SIZE_PX - 1) / 2
        images = np.empty((len(z_nm), SIZE_PX, SIZE_PX), np.float32)
        fine = np.arange(0.0, 50.0, 0.02)
        for image, profile, (x_px, y_px) in zip(
            images, true_profiles(microscope, z_nm, fine), places, strict=True
        ):
            r = np.hypot(x - x_px, y - y_px)
            image[:] = LIGHT * (1 + CubicSpline(fine, profile)(r))
        return images

    planes = np.arange(1000.0, 2501.0, 100.0)
    lut = build_zlut(exact(planes, at(*place, len(planes))), planes)
    rng = np.random.default_rng(11)
    z, where = np.sort(rng.uniform(1200, 2300, 40)), rng.uniform(-3, 3, (40, 2))
    found = track_stack(exact(z, where), lut)
    assert np.abs(found.z_nm - z).max() < 0.1
    assert np.abs(found.x_px - where[:, 0] - (SIZE_PX - 1) / 2).max() < 0.0002


@pytest.mark.parametrize("step_nm", [75.0, 100.0])
@pytest.mark.parametrize("first_nm", [-3000.0, 1000.0])
def test_frames_between_the_planes_of_a_coarse_sweep(
    microscope: SimulatedMicroscope, first_nm: float, step_nm: float
) -> None:
    """Every other frame of a coarse sweep makes the Z-LUT, the frames between test it."""
    z = np.arange(first_nm, 4501.0, step_nm)
    stack = swept(microscope, z, at(0.3, -0.2, len(z)), seed=8)
    sweep = measure_sweep(stack[::2], z[::2])
    report = report_sweep(sweep)
    low, high = report.usable_nm
    assert low <= first_nm + 4 * step_nm
    assert high >= z[-1] - 4 * step_nm
    between = np.flatnonzero((z > low) & (z < high) & (np.arange(len(z)) % 2 == 1))
    found = track_stack(stack[between], sweep.zlut)
    assert (found.reason == Reason.OK).all()
    error = np.sqrt(np.mean((found.z_nm - z[between]) ** 2))
    assert error < 5.0
    # and the report says so: noise of the frame and of the planes together
    expected = np.hypot(report.sigma_z_nm, report.error_nm)
    assert error < 2.0 * np.sqrt(np.mean(expected[report.first : report.last + 1] ** 2))


def test_a_lut_serves_smaller_rois(microscope: SimulatedMicroscope) -> None:
    z = np.arange(1000.0, 3001.0, 100.0)
    lut = build_zlut(swept(microscope, z, at(0.3, -0.2, len(z))), z)
    heights = np.array([1510.0, 2040.0, 2530.0])
    stack = swept(microscope, heights, at(0.1, 0.4, 3))[:, 7:-7, 7:-7]
    found = track_stack(stack, lut)
    assert np.abs(found.z_nm - heights).max() < 3


def test_sweeps_without_a_bead_at_some_heights(caplog: pytest.LogCaptureFixture) -> None:
    z = np.arange(-1000.0, 1001.0, 100.0)
    middle = np.full(len(z), 31.5)
    stack = rings(middle, middle, z, SIZE_PX)
    stack[[4, 9]] = 100.0
    sweep = measure_sweep(stack, z)
    assert sweep.missing_nm == (-600.0, -100.0)
    assert "-600, -100 nm" in caplog.text
    stack[10:16] = 100.0
    with pytest.raises(InputError, match="found at 13 of 21 heights"):
        build_zlut(stack, z)


def test_values_without_brightness_make_a_lut(microscope: SimulatedMicroscope) -> None:
    """Stacks whose background was taken off have brightness about 0, of either sign."""
    z = np.arange(1000.0, 2001.0, 100.0)
    stack = swept(microscope, z, at(0.3, -0.2, len(z))).astype(np.float32) - LIGHT
    lut = build_zlut(stack, z)
    plain = build_zlut(stack + LIGHT, z)
    np.testing.assert_allclose(lut.profiles + LIGHT, plain.profiles, atol=0.3)


def test_samples_are_a_spline() -> None:
    coefficients = np.cos(np.arange(70) * 0.1)
    r = np.linspace(0, 30, 301)
    numeric = np.gradient(sample(coefficients, r), r)
    np.testing.assert_allclose(sample(coefficients, r, slope=True)[1:-1], numeric[1:-1], atol=1e-3)
    assert sample(coefficients, np.zeros(1), slope=True)[0] == pytest.approx(0.0, abs=1e-12)


def test_falling_and_rising_sweeps_are_the_same() -> None:
    z = np.arange(-500.0, 501.0, 100.0)
    middle = np.full(len(z), 31.6)
    stack = rings(middle, middle, z, SIZE_PX)
    one, other = build_zlut(stack, z), build_zlut(stack[::-1], z[::-1])
    np.testing.assert_array_equal(one.z_nm, other.z_nm)
    np.testing.assert_allclose(one.profiles, other.profiles, rtol=1e-9)
    assert isinstance(replace(one, z_nm=one.z_nm + 5), ZLut)
