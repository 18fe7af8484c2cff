"""What is rendered: truth, noise, purity, motors, options."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.devices.simulated import SimulatedMicroscope, SimulatedOptions

QUIET: dict[str, Any] = {
    "height_px": 160, "width_px": 192, "noise": False, "unevenness": 0.0, "debris_per_mpx": 0.0,
}  # fmt: skip


def _centre(image: np.ndarray, background: float, x: float, y: float, half: int) -> np.ndarray:
    """Centre of the squared contrast in a window about ``(x, y)``, by repeated weighting."""
    for _ in range(20):
        rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(float)
        near = np.clip(half - np.hypot(rows - y, columns - x), 0, 1)
        weight = near * (image - background) ** 2
        x, y = (np.sum(weight * axis) / weight.sum() for axis in (columns, rows))
    return np.array([x, y])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_rendered_bead_is_where_truth_says(dtype: str) -> None:
    microscope = SimulatedMicroscope(
        {**QUIET, "beads": 1, "dtype": dtype, "bit_depth": 16, "margin_px": 60, "drift_nm": 3000}
    )
    background = float(np.median(microscope.render(0)[:8]))
    for frame in range(0, 4000, 400):
        image = microscope.render(frame).astype(float)
        x, y, _ = microscope.truth([frame])[0, 0]
        found = _centre(image, background, round(x), round(y), 30)
        assert np.abs(found - (x, y)).max() < (0.01 if dtype == "uint16" else 0.03)


def test_height_in_truth_is_that_of_the_sweep() -> None:
    """A bead's crop is most like the plane of the sweep at the truth's z."""
    microscope = SimulatedMicroscope(
        {**QUIET, "beads": 1, "brownian": False, "drift_nm": 0, "drift_z_nm": 0, "margin_px": 50}
    )
    x, y = microscope.bead_positions_px()[0]
    for focus_um in (-1.0, 0.0, 4.0):
        _, _, z_nm = microscope.truth([0], focus_um=focus_um)[0, 0]
        column, row = round(x), round(y)
        crop = microscope.render(0, focus_um=focus_um)[
            row - 16 : row + 17, column - 16 : column + 17
        ]
        planes = z_nm + np.arange(-200, 201, 50)
        sweep = microscope.focus_sweep(planes, size_px=33).astype(float)
        # same sub-pixel place: compare with ring sums, which do not depend on it much
        radius = np.hypot(*np.mgrid[-16:17, -16:17]).round().astype(int)
        around = np.hypot(
            *(np.mgrid[-16:17, -16:17] - np.array([y - row, x - column])[:, None, None])
        )
        rings = np.bincount(radius.ravel(), minlength=24)
        profile = np.bincount(around.round().astype(int).ravel(), crop.ravel().astype(float), 24)
        profile /= np.maximum(np.bincount(around.round().astype(int).ravel(), minlength=24), 1)
        swept = [
            np.bincount(radius.ravel(), plane.ravel(), 24) / np.maximum(rings, 1) for plane in sweep
        ]
        error = [np.sum((plane[:16] - profile[:16]) ** 2) for plane in swept]
        assert abs(planes[int(np.argmin(error))] - z_nm) <= 50


def test_sweep_can_be_off_centre() -> None:
    microscope = SimulatedMicroscope({**QUIET, "beads": 1, "dtype": "uint16", "bit_depth": 16})
    image = microscope.focus_sweep([2000], size_px=64, offset_px=(0.3, -0.2))[0].astype(float)
    found = _centre(image, float(np.median(image)), 32, 31, 28)
    assert found == pytest.approx([31.8, 31.3], abs=0.01)


def test_frames_are_a_pure_function_of_number_and_motors() -> None:
    options = {"height_px": 128, "width_px": 128, "beads": 4, "seed": 5, "fps": 700}
    streamed = SimulatedMicroscope(options)
    frames = {k: streamed.render(k).copy() for k in range(12)}
    other = SimulatedMicroscope(options)
    for k in (11, 3, 3, 0, 7):
        other.render(k + 1, focus_um=2.0, magnet_mm=1.0)
        assert np.array_equal(other.render(k), frames[k])
    assert np.array_equal(other.truth([3, 0])[0], streamed.truth([3])[0])
    far = other.render(10**9)
    assert np.array_equal(far, streamed.render(10**9))


@cache
def _small(seed: int, dtype: str) -> SimulatedMicroscope:
    return SimulatedMicroscope(
        {"height_px": 64, "width_px": 96, "beads": 3, "seed": seed, "dtype": dtype}
    )


@settings(max_examples=25, deadline=None)
@given(
    k=st.integers(0, 10**12), seed=st.integers(0, 3), focus=st.floats(-20, 20),
    magnet=st.floats(0, 10), dtype=st.sampled_from(["uint8", "uint16"]),
)  # fmt: skip
def test_any_frame_can_be_rendered(
    k: int, seed: int, focus: float, magnet: float, dtype: str
) -> None:
    microscope = _small(seed, dtype)
    image = microscope.render(k, focus, magnet)
    assert image.dtype == dtype
    assert image.shape == (64, 96)
    assert int(image.max()) <= microscope.options.full_scale
    assert image.std() > 0.5
    assert not microscope._scratch.any()


@pytest.mark.parametrize("exposure_ms", [0.05, 0.2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_noise_is_that_of_electrons(dtype: str, exposure_ms: float) -> None:
    microscope = SimulatedMicroscope(
        {"height_px": 64, "width_px": 64, "beads": 0, "unevenness": 0, "debris_per_mpx": 0,
         "dtype": dtype, "exposure_ms": exposure_ms}
    )  # fmt: skip
    options = microscope.options
    frames = np.stack([microscope.render(k) for k in range(400)]).astype(float)
    electrons = options.light_e_per_ms * exposure_ms
    expected = np.sqrt(electrons + options.read_noise_e**2) * options.counts_per_e
    assert frames.mean() == pytest.approx(electrons * options.counts_per_e, abs=0.05, rel=1e-4)
    assert frames.std(axis=0).mean() == pytest.approx(np.hypot(expected, 0.289), rel=0.02)
    # neither pixels nor frames know of each other
    steps = frames - frames.mean(axis=0)
    for shifted in (np.roll(steps, 1, 0), np.roll(steps, 1, 1), np.roll(steps, 1, 2)):
        assert abs(np.mean(steps * shifted) / np.mean(steps**2)) < 0.01
    assert not np.array_equal(frames[0], frames[1])


def test_noise_in_beads_follows_the_light() -> None:
    microscope = SimulatedMicroscope(
        {**QUIET, "noise": True, "beads": 1, "brownian": False, "drift_nm": 0, "drift_z_nm": 0,
         "dtype": "uint16"}
    )  # fmt: skip
    options = microscope.options
    frames = np.stack([microscope.render(k) for k in range(300)]).astype(float)
    electrons = frames.mean(axis=0) / options.counts_per_e
    expected = np.sqrt(electrons + options.read_noise_e**2) * options.counts_per_e
    ratio = frames.std(axis=0) / expected
    dark = electrons < 0.5 * options.light_e_per_ms * options.exposure_ms
    assert dark.sum() > 50
    assert ratio[dark].mean() == pytest.approx(1, rel=0.03)


def test_too_much_light_saturates_instead_of_wrapping() -> None:
    microscope = SimulatedMicroscope(
        {"height_px": 64, "width_px": 64, "beads": 1, "exposure_ms": 0.6}
    )
    image = microscope.render(0)
    assert int(image.max()) == 255
    assert np.median(image) == 255
    black = SimulatedMicroscope(
        {"height_px": 64, "width_px": 64, "beads": 1, "light_e_per_ms": 0.0}
    ).render(0)
    assert black.max() < 10


def test_overlapping_beads_do_not_disturb_each_other_in_order() -> None:
    pair = {**QUIET, "beads": 2, "touching_pairs": 1, "brownian": False, "margin_px": 60}
    microscope = SimulatedMicroscope(pair)
    places = microscope.truth([0])[0]
    touching = 2 * microscope.options.bead_radius_nm / microscope.options.nm_per_px
    assert 1.0 * touching <= np.hypot(*(places[0] - places[1])[:2]) <= 1.05 * touching
    image = microscope.render(0)
    again = image.copy()
    microscope._render_beads(places[::-1].copy(), again)
    assert np.abs(image.astype(int) - again).max() <= 1
    alone = image.copy()
    microscope._render_beads(places[:1].copy(), alone)
    assert np.abs(image.astype(int) - alone).max() > 50
    assert image.min() < 40


def test_focus_and_magnet_act_on_the_image() -> None:
    microscope = SimulatedMicroscope({**QUIET, "beads": 1})
    rest = microscope.render(5)
    assert not np.array_equal(microscope.render(5, focus_um=0.5), rest)
    assert not np.array_equal(microscope.render(5, magnet_mm=5.0), rest)
    z_rest = microscope.truth([5])[0, 0, 2]
    assert microscope.truth([5], focus_um=0.5)[0, 0, 2] == pytest.approx(z_rest - 500)
    heights = microscope.truth([5, 5, 5], magnet_mm=np.array([0.0, 5.0, 10.0]))[:, 0, 2]
    assert heights[0] < heights[1] < heights[2]


def test_changed_exposure_equals_a_new_microscope() -> None:
    small = {"height_px": 96, "width_px": 96, "beads": 2}
    changed = SimulatedMicroscope(small).with_options(exposure_ms=0.1, gain=1.5, fps=50.0)
    fresh = SimulatedMicroscope({**small, "exposure_ms": 0.1, "gain": 1.5, "fps": 50.0})
    assert np.array_equal(changed.render(9), fresh.render(9))
    moved = SimulatedMicroscope(small).with_options(seed=8)
    assert np.array_equal(moved.render(1), SimulatedMicroscope({**small, "seed": 8}).render(1))


@pytest.mark.parametrize(("beads", "size"), [(50, 512), (200, 1024), (50, 2048)])
def test_beads_are_apart_and_inside(beads: int, size: int) -> None:
    options = SimulatedOptions(beads=beads, height_px=size, width_px=size)
    microscope = SimulatedMicroscope(options)
    places = microscope.bead_positions_px()
    assert places.shape == (beads, 2)
    assert places.min() >= options.margin_px
    assert places.max() <= size - 1 - options.margin_px
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    gaps[np.diag_indices(beads)] = np.inf
    assert gaps.min() > 2 * options.bead_radius_nm / options.nm_per_px


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beads": -1}, "option beads"),
        ({"bead": 1}, "no option 'bead'"),
        ({"dtype": "float32"}, "option dtype"),
        ({"fps": "fast"}, "option fps"),
        ({"fps": float("nan")}, "option fps"),
        ({"fps": 2000, "exposure_ms": 1.0}, "exposure_ms 1 is longer"),
        ({"illumination_na": 1.0, "na": 0.5}, "illumination_na must not exceed"),
        ({"beads": 3, "touching_pairs": 2}, "touching pairs"),
        ({"beads": 500, "height_px": 64, "width_px": 64}, "do not fit"),
    ],
)
def test_bad_options_give_one_clear_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        SimulatedMicroscope(options)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_bad_requests_give_clear_errors() -> None:
    microscope = SimulatedMicroscope({"height_px": 64, "width_px": 64, "beads": 1})
    with pytest.raises(InputError, match="no bead 3"):
        microscope.focus_sweep([0], bead=3)
    with pytest.raises(DeviceError, match="buffer"):
        microscope.render(0, out=np.empty((64, 64), np.uint16))


def test_light_and_dirt_are_uneven_but_mild() -> None:
    microscope = SimulatedMicroscope({"beads": 0, "noise": False})
    image = microscope.render(0).astype(float)
    assert 0.02 < image.std() / image.mean() < 0.2
    assert np.percentile(image, 1) / image.mean() > 0.6


def test_a_large_field_opens_fast_and_stays_small() -> None:
    options = {"height_px": 2048, "width_px": 2048, "beads": 50}
    SimulatedMicroscope({"beads": 1}).render(0)  # compiled
    began = time.perf_counter()
    microscope = SimulatedMicroscope(options)
    microscope.render(0)
    assert time.perf_counter() - began < 2.0  # 0.2 s when nothing else runs
    held = [value.nbytes for value in vars(microscope).values() if isinstance(value, np.ndarray)]
    assert sum(held) < 100e6


def test_no_change_of_exposure_or_binning_waits_for_a_compiler() -> None:
    from napari_beadscope.devices.simulated import kernels

    small = {"height_px": 64, "width_px": 64, "beads": 1}
    SimulatedMicroscope(small).warm_up()
    compiled = (kernels.add_noise_clipped, kernels.bin_mean)
    before = [len(one.signatures) for one in compiled]
    assert min(before) > 0
    SimulatedMicroscope({**small, "exposure_ms": 0.001}).render(1)
    SimulatedMicroscope({**small, "binning": 2}).render(1)
    assert [len(one.signatures) for one in compiled] == before
