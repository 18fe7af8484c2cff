"""The bound: what a fit of the true image reaches, and nothing beyond."""

from __future__ import annotations

import numpy as np
import pytest

from napari_beadscope.devices.simulated.still import StillBead
from napari_beadscope.tracking.bound import position_bound

SIZE_PX, LIGHT_E = 48, 10_000.0
STEPS = (1e-3, 1e-3, 0.1)


@pytest.fixture(scope="module")
def bead() -> StillBead:
    return StillBead({"z_range_nm": 4500, "pattern_radius_nm": 5000})


def model(bead: StillBead, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A noise-free image in electrons and its derivatives by x, y, z."""
    moved = np.vstack([place, place + np.diag(STEPS)])
    images = bead.images(moved, SIZE_PX) * LIGHT_E
    return images[0], (images[1:] - images[0]) / np.reshape(STEPS, (3, 1, 1))


def most_likely(
    bead: StillBead, image: np.ndarray, place: np.ndarray, counts_e: float
) -> np.ndarray:
    """Fit x, y, z, gain and offset by Fisher scoring."""
    gain, offset = 1.0, 0.0
    place = place.copy()
    for _ in range(4):
        mean, slopes = model(bead, place)
        expected = gain * mean + offset
        design = np.stack([*(gain * slopes), mean, np.ones_like(mean)]).reshape(5, -1)
        weight = 1 / (expected + counts_e**2 / 12).ravel()
        step = np.linalg.solve(
            (design * weight) @ design.T, (design * weight) @ (image - expected).ravel()
        )
        place += step[:3]
        gain, offset = gain + step[3], offset + step[4]
    return place


@pytest.mark.parametrize(("z_nm", "counts_e"), [(2200.0, 0.0), (-900.0, 100.0)])
def test_the_most_likely_place_spreads_as_the_bound_says(
    bead: StillBead, z_nm: float, counts_e: float
) -> None:
    place = np.array([23.3, 24.1, z_nm])
    mean, slopes = model(bead, place)
    bound = position_bound(mean[None], slopes[None], extra_variance=counts_e**2 / 12)[0]
    rng = np.random.default_rng(0)
    found = []
    for _ in range(160):
        image = rng.poisson(mean).astype(float)
        if counts_e:
            image = np.rint(image / counts_e) * counts_e
        found.append(most_likely(bead, image, place, counts_e))
    spread = np.std(found, axis=0, ddof=3)
    assert (np.abs(np.mean(found, axis=0) - place) < 4 * bound / np.sqrt(160)).all()
    # 160 of them tell their spread to 6 %
    np.testing.assert_allclose(spread / bound, 1.0, atol=0.18)


def test_light_helps_by_its_root_and_unknowns_cost(bead: StillBead) -> None:
    mean, slopes = model(bead, np.array([22.8, 23.1, 1500.0]))
    once = position_bound(mean[None], slopes[None])
    np.testing.assert_allclose(position_bound(4 * mean[None], 4 * slopes[None]), once / 2)
    known = position_bound(mean[None], slopes[None], known_light=True)
    assert (known <= once).all()
    assert known[0, 2] < once[0, 2]
    noisier = position_bound(mean[None], slopes[None], extra_variance=3 * LIGHT_E)
    assert (noisier > 1.5 * once).all()


def test_each_row_and_coordinate_counts_alone(bead: StillBead) -> None:
    places = np.array([[22.8, 23.1, 1500.0], [24.0, 22.0, -2000.0]])
    both = [model(bead, place) for place in places]
    mean, slopes = (np.stack(each) for each in zip(*both, strict=True))
    together = position_bound(mean, slopes)
    for row in range(2):
        np.testing.assert_allclose(
            position_bound(mean[row][None], slopes[row][None])[0], together[row]
        )
    # of a bead about the centre, x and y tell nothing about each other
    np.testing.assert_allclose(position_bound(mean, slopes[:, :1])[:, 0], together[:, 0], rtol=1e-2)


def test_an_image_that_does_not_tell_has_no_bound() -> None:
    flat = np.full((1, 20, 20), 100.0)
    none = np.zeros((1, 3, 20, 20))
    assert np.isinf(position_bound(flat, none)).all()
    x = np.broadcast_to(np.arange(20.0), (1, 1, 20, 20))
    same = np.concatenate([x, x, x], axis=1)
    assert np.isinf(position_bound(flat, same)).all()
