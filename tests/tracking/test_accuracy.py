"""What is promised of the method "precise", on beads at exactly known places."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from napari_beadscope.cli.bench.contestants import magtrack_zlut
from napari_beadscope.cli.bench.scenes import (
    Exposure,
    Optics,
    Scene,
    Sweep,
    open_optics,
    render,
    scatter,
    sweep,
)
from napari_beadscope.core.types import Reason
from napari_beadscope.tracking import TrackResult, ZLut, build_zlut, track_stack

SIZE_PX = 64
LIGHT = Exposure(10_000, 100.0)
BRIGHT = 50.0  # counts of the background in noise-free images: nothing is clipped


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Beads, and Z-LUTs of them."""

    optics: Optics
    scene: Scene
    swept: Sweep
    noisy: Sweep
    lut: ZLut
    clean_lut: ZLut


@pytest.fixture(scope="module")
def waves() -> World:
    optics = open_optics("waves")
    swept = sweep(optics, SIZE_PX, places=8)
    noisy = swept.seen_by(LIGHT)
    scene = render(optics, scatter(200, SIZE_PX), SIZE_PX).seen_by(LIGHT)
    return World(
        optics,
        scene,
        swept,
        noisy,
        build_zlut(noisy.stack, noisy.z_nm),
        build_zlut(swept.stack * BRIGHT, swept.z_nm),
    )


def off(result: TrackResult, truth: np.ndarray) -> np.ndarray:
    return np.column_stack([result.x_px, result.y_px, result.z_nm]) - truth


def rmse(errors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(errors**2, axis=0))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_on_magtracks_own_beads_it_is_far_ahead_and_near_the_bound() -> None:
    optics, exposure = open_optics("magtrack"), Exposure(4_000, 88.0)
    scene = render(optics, scatter(100, SIZE_PX), SIZE_PX).seen_by(exposure)
    noisy = sweep(optics, SIZE_PX, reach_nm=3250, places=8).seen_by(exposure)
    precise = track_stack(scene.stack, build_zlut(noisy.stack, noisy.z_nm))
    magtrack = track_stack(scene.stack, magtrack_zlut(noisy), method="magtrack-compatible")
    assert (precise.reason == Reason.OK).all()
    ours, theirs = off(precise, scene.truth), off(magtrack, scene.truth)
    fine = np.isfinite(theirs).all(axis=1)
    assert (rmse(ours)[:2] <= 0.4 * rmse(theirs[fine])[:2]).all()
    assert rmse(ours)[2] <= 0.1 * rmse(theirs[fine])[2]
    assert (np.median(np.abs(ours), axis=0) <= 1.5 * np.median(scene.bound, axis=0)).all()


def test_round_beads_are_found_as_well_as_can_be(waves: World) -> None:
    result = track_stack(waves.scene.stack, waves.lut)
    assert (result.reason == Reason.OK).all()
    errors = off(result, waves.scene.truth)
    assert (rmse(errors) <= 1.35 * rmse(waves.scene.bound)).all()
    assert (np.abs(errors.mean(axis=0)) < 4 * rmse(waves.scene.bound) / np.sqrt(200)).all()


def test_standard_errors_are_honest(waves: World) -> None:
    result = track_stack(waves.scene.stack, waves.lut)
    sigma = np.column_stack([result.sigma_x_px, result.sigma_y_px, result.sigma_z_nm])
    reduced = off(result, waves.scene.truth) / sigma
    spread = np.std(reduced, axis=0)
    # 200 errors tell their spread to 5 %; that of the Z-LUT's own noise is not in sigma
    assert (spread > 0.8).all()
    assert (spread < 1.3).all()
    assert (np.abs(reduced) < 6).all()
    assert np.median(sigma / waves.scene.bound) == pytest.approx(1.0, abs=0.15)


def test_no_bias_between_pixels_nor_between_planes(waves: World) -> None:
    phases = np.linspace(-0.5, 0.5, 7)
    heights = (-2512.0, -1187.0, 463.0, 1538.0)
    grid = [(32 + x, 32 + y, z) for x, y, z in product(phases, phases, heights)]
    between = [(31.7, 32.2, z) for z in np.arange(1000.0, 1201.0, 8.0)]
    places = np.array(grid + between)
    result = track_stack(waves.optics.images(places, SIZE_PX) * BRIGHT, waves.clean_lut)
    errors = np.abs(off(result, places))
    assert errors[:, :2].max() < 0.003
    assert errors[:, 2].max() < 1.0


def test_small_rois_lose_no_bead(waves: World) -> None:
    low = (SIZE_PX - 50) // 2
    window = (slice(None), slice(low, low + 50), slice(low, low + 50))
    lut = build_zlut(waves.noisy.stack[window], waves.noisy.z_nm)
    result = track_stack(waves.scene.stack[window], lut)
    errors = off(result, waves.scene.truth - (low, low, 0))
    assert (result.reason == Reason.OK).all()
    assert (np.abs(errors) < (0.05, 0.05, 20.0)).all()


@pytest.mark.parametrize("with_lut", [True, False])
def test_beads_a_third_off_the_middle_are_found(waves: World, with_lut: bool) -> None:
    places = scatter(60, SIZE_PX, reach_px=0.5, seed=3)
    angle = np.linspace(0, 2 * np.pi, 60)
    places[:, 0] += SIZE_PX / 3 * np.cos(angle)
    places[:, 1] += SIZE_PX / 3 * np.sin(angle)
    stack = LIGHT.shoot(waves.optics.images(places, SIZE_PX), np.random.default_rng(1))
    result = track_stack(stack, waves.lut if with_lut else None)
    errors = np.abs(off(result, places))
    assert (result.reason == Reason.OK).all()
    assert errors[:, :2].max() < 0.1
    if with_lut:
        assert errors[:, 2].max() < 30


def test_frames_between_those_of_a_coarse_sweep_are_right_to_a_few_nm(waves: World) -> None:
    number = np.rint((waves.noisy.z_nm - waves.noisy.z_nm.min()) / 50).astype(int)
    used = number % 2 == 0
    lut = build_zlut(waves.noisy.stack[used], waves.noisy.z_nm[used])  # 100 nm apart
    inside = ~used & (np.abs(waves.noisy.z_nm) <= 3000)
    result = track_stack(waves.noisy.stack[inside], lut)
    errors = result.z_nm - waves.noisy.z_nm[inside]
    assert np.isfinite(errors).all()
    assert np.sqrt(np.mean(errors**2)) < 2.0
    assert np.abs(errors).max() < 10.0
