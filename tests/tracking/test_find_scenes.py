"""Finding beads on simulated fields, where the truth is known, and on fields of dirt alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import FoundBeads, find_beads
from napari_beadscope.tracking.find import MIN_SCORE

FIELD = {"beads": 12, "height_px": 420, "width_px": 480, "spacing_px": 70, "margin_px": 45}


def scene(**options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame and the beads' true centres (n, 2) as y, x px."""
    microscope = SimulatedMicroscope({**FIELD, **options})
    return microscope.render(0), microscope.truth([0])[0][:, 1::-1]


def errors(found: FoundBeads, truth: np.ndarray) -> np.ndarray:
    """Return the distance from each true centre to the nearest bead found, px."""
    away = np.hypot(found.y_px[:, None] - truth[:, 0], found.x_px[:, None] - truth[:, 1])
    return np.asarray(away.min(axis=0, initial=np.inf))


def false_ones(found: FoundBeads, truth: np.ndarray) -> int:
    away = np.hypot(found.y_px[:, None] - truth[:, 0], found.x_px[:, None] - truth[:, 1])
    return int((away.min(axis=1, initial=np.inf) > 4).sum())


@pytest.mark.parametrize("focus_nm", [-6000, -4000, -2500, -1000, 0, 1000, 2500, 4000, 6000])
def test_at_every_height(focus_nm: float) -> None:
    false = 0
    for seed in range(2):
        image, truth = scene(seed=seed, focus_height_nm=focus_nm)
        found = find_beads(image)
        away = errors(found, truth)
        assert away.max() < (1.5 if focus_nm == 0 else 1.0)
        assert np.median(away) < 0.25
        false += false_ones(found, truth)
    assert false <= 2


@pytest.mark.parametrize(
    "options",
    [
        {"light_e_per_ms": 2500},
        {"light_e_per_ms": 48000, "dtype": "uint16", "full_well_e": 20000},
        {"dtype": "uint16", "bit_depth": 16},
        {"unevenness": 0.15},
        {"unevenness": 0.0, "debris_per_mpx": 0.0},
        {"debris_per_mpx": 250.0},
        {"height_spread_nm": 1500.0},
        {"margin_px": 8.0},
    ],
    ids=str,
)
def test_in_every_light(options: dict[str, Any]) -> None:
    image, truth = scene(seed=4, **options)
    found = find_beads(image)
    away = errors(found, truth)
    assert (away < 1.0).mean() >= 0.9
    assert np.median(away) < 0.3
    assert false_ones(found, truth) <= 1


@pytest.mark.parametrize("nm_per_px", [60, 100, 180, 280])
@pytest.mark.parametrize("focus_nm", [-3000, 2000])
def test_of_every_size(nm_per_px: float, focus_nm: float) -> None:
    image, truth = scene(
        seed=5, nm_per_px=nm_per_px, bead_radius_nm=700, focus_height_nm=focus_nm, beads=6,
        height_spread_nm=0, spacing_px=110, debris_per_mpx=20,
    )  # fmt: skip
    found = find_beads(image)
    assert errors(found, truth).max() < 0.5
    assert false_ones(found, truth) == 0
    assert np.ptp(found.radius_px) <= 5
    # the radius goes with the size
    larger = scene(
        seed=5, nm_per_px=60, bead_radius_nm=700, focus_height_nm=focus_nm, beads=6,
        height_spread_nm=0, spacing_px=110, debris_per_mpx=20,
    )[0]  # fmt: skip
    ratio = np.median(find_beads(larger).radius_px) / np.median(found.radius_px)
    assert ratio == pytest.approx(nm_per_px / 60, rel=0.45)  # coarse pixels blur the last rings


def test_contrast_gradient_and_pixel_type_do_not_matter() -> None:
    image, truth = scene(seed=6)
    height, width = image.shape
    ramp = 1 + 0.6 * (np.arange(width) / width - 0.5) + 0.4 * (np.arange(height)[:, None] / height)
    for changed in (255 - image, image * ramp, image.astype(np.float64) / 255, -1.0 * image):
        found = find_beads(changed)
        assert errors(found, truth).max() < 0.6
        assert false_ones(found, truth) == 0


def test_pairs_that_touch() -> None:
    near = []
    for seed in range(3):
        image, truth = scene(
            seed=seed, touching_pairs=4, nm_per_px=60, bead_radius_nm=800,
            focus_height_nm=-1500, height_spread_nm=50,
        )  # fmt: skip
        found = find_beads(image)
        near.append(errors(found, truth) < 2.0)
        assert false_ones(found, truth) <= 1
        pairs = truth[-4:]
        for y, x in pairs[near[-1][-4:]]:
            assert not found.isolated[np.hypot(found.y_px - y, found.x_px - x).argmin()]
    assert np.mean(near) > 0.9


def test_two_beads_in_one_are_not_alone() -> None:
    merged = said_alone = 0
    for seed in range(12):
        image, truth = scene(seed=seed, touching_pairs=4)
        found = find_beads(image)
        partners = truth[-4:]
        apart = np.hypot(truth[:8, None, 0] - partners[:, 0], truth[:8, None, 1] - partners[:, 1])
        middles = (truth[apart.argmin(axis=0)] + partners) / 2
        for y, x in middles:
            here = np.hypot(found.y_px - y, found.x_px - x) < 1.5
            said_alone += int(found.isolated[here].sum())
            merged += int(here.sum())
    assert merged > 30
    assert said_alone < 0.2 * merged


def test_alone_on_the_frame() -> None:
    for seed in range(4):
        image, truth = scene(seed=seed, beads=1, debris_per_mpx=60)
        found = find_beads(image)
        assert errors(found, truth).max() < 0.5
        assert false_ones(found, truth) == 0
        assert found.score[0] > 0.95


def test_dirt_alone_is_hardly_ever_taken_for_beads() -> None:
    taken, best = 0, []
    for seed in range(12):
        every = find_beads(scene(seed=seed, beads=0, debris_per_mpx=60)[0], min_score=0.0)
        taken += int((every.score >= MIN_SCORE).sum())
        best.append(every.score.max(initial=0.0))
    assert taken <= 9  # of 145 specks
    beads = find_beads(scene(seed=1)[0]).score
    assert np.median(best) < 0.7
    assert beads.min() > max(best)
