"""Finding beads: on a real field, on a real optical-tweezers movie, on fields with known truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import FoundBeads, beads_from_found, find_beads, suggest_roi_size

# Chosen by eye on mt_field_real.jpg: y, x.
ALONE = [
    (43, 297), (44, 1326), (49, 816), (59, 204), (69, 461), (121, 118), (159, 798), (160, 1049),
    (168, 644), (179, 489), (208, 344), (280, 186), (299, 1344), (311, 914), (319, 607),
    (331, 365), (404, 664), (413, 953), (459, 270), (484, 115), (494, 1230), (501, 819),
    (508, 221), (518, 332), (595, 486), (607, 852), (625, 1175), (637, 613), (663, 1115),
    (677, 932), (700, 793), (731, 406), (756, 60), (757, 760), (813, 392), (860, 315),
    (910, 1199), (930, 1090), (952, 899), (958, 641), (960, 561), (978, 490), (1004, 440),
]  # fmt: skip
TOUCHING = [
    (289, 469), (321, 476), (326, 804), (347, 804), (590, 118), (593, 163), (612, 137),
    (723, 259), (743, 259), (790, 1057), (811, 1056), (897, 764), (927, 744), (884, 243),
]  # fmt: skip
DEBRIS = [(241, 657), (171, 196), (664, 425), (314, 1127), (996, 33), (449, 1008), (780, 165)]


def field(
    beads: list[tuple[float, float]], shape: tuple[int, int] = (400, 520), seed: int = 0
) -> np.ndarray:
    """Return a uint8 frame with ring patterns at `beads` (y, x), uneven light and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    image = 105 + 25 * np.sin(x / 170) * np.cos(y / 130) + rng.normal(0, 2.5, shape)
    half = 32
    for by, bx in beads:
        cy, cx = round(by), round(bx)
        patch = rings(
            np.array([bx - cx + half]),
            np.array([by - cy + half]),
            rng.uniform(-1000, 1000, 1),
            2 * half + 1,
        )[0]
        rows = slice(max(cy - half, 0), min(cy + half + 1, shape[0]))
        columns = slice(max(cx - half, 0), min(cx + half + 1, shape[1]))
        image[rows, columns] += (patch - 100)[
            rows.start - cy + half : rows.stop - cy + half,
            columns.start - cx + half : columns.stop - cx + half,
        ]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def nearest(found: FoundBeads, y: float, x: float) -> float:
    return float(np.hypot(found.y_px - y, found.x_px - x).min(initial=np.inf))


@pytest.fixture(scope="module")
def real_field(data_dir: Path) -> np.ndarray:
    from skimage.io import imread

    image: np.ndarray = imread(data_dir / "mt_field_real.jpg")
    return image if image.ndim == 2 else image[..., 0]


def test_real_field(real_field: np.ndarray) -> None:
    found = find_beads(real_field)
    assert [bead for bead in ALONE if nearest(found, *bead) > 2] == []
    assert [bead for bead in TOUCHING if nearest(found, *bead) > 3] == []
    assert [thing for thing in DEBRIS if nearest(found, *thing) < 12] == []
    assert 86 <= len(found) <= 98
    assert 50 <= suggest_roi_size(found) <= 90
    assert (np.diff(found.score) <= 0).all()
    for y, x in TOUCHING:
        at = np.hypot(found.y_px - y, found.x_px - x).argmin()
        assert not found.isolated[at]
    assert found.isolated.sum() > 55


def test_real_field_takes_well_under_a_second(real_field: np.ndarray) -> None:
    find_beads(real_field)
    start = time.thread_time()
    find_beads(real_field)
    assert time.thread_time() - start < 0.6


def test_real_tweezers_movie(data_dir: Path) -> None:
    import tifffile

    movie = tifffile.imread(data_dir / "tweezed_bead_real.tif")
    centres = []
    for frame in movie[::20]:
        found = find_beads(frame)
        assert len(found) == 1
        assert found.isolated.all()
        centres.append((found.y_px[0], found.x_px[0]))
    away = np.array(centres) - (91, 97)  # by eye; it moves a few px in the trap
    assert np.hypot(*away.T).max() < 9
    assert np.hypot(*away.T).mean() < 5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_known_truth(dtype: type) -> None:
    rng = np.random.default_rng(1)
    truth = [
        (y + dy, x + dx)
        for (y, x), (dy, dx) in zip(
            [(y, x) for y in range(45, 380, 62) for x in range(45, 500, 62)],
            rng.uniform(-6, 6, (99, 2)),
            strict=False,
        )
    ]
    image = field(truth).astype(dtype) * dtype(3 if dtype is not np.uint8 else 1)
    found = find_beads(image)
    assert len(found) == len(truth)
    assert max(nearest(found, *bead) for bead in truth) < 1.0
    assert (found.score > 0.75).all()
    assert found.isolated.sum() > 0.9 * len(truth)
    again = find_beads(image)
    np.testing.assert_array_equal(found.y_px, again.y_px)
    np.testing.assert_array_equal(found.score, again.score)


def test_neighbours_and_edges() -> None:
    found = find_beads(field([(100, 100), (104, 130), (300, 300), (200, 4)]), size_px=48)
    assert len(found) == 4
    alone = {
        (round(y), round(x)): bool(a)
        for y, x, a in zip(found.y_px, found.x_px, found.isolated, strict=True)
    }
    assert [alone[key] for key in sorted(alone)] == [False, False, True, True]
    beads = beads_from_found(found, (400, 520), 48)
    assert [bead.bead for bead in beads] == [0, 1, 2]
    assert beads[0].roi.centre_px == pytest.approx((300, 300), abs=1)
    assert all(bead.roi.inside((400, 520)) for bead in beads)


def test_the_best_are_kept() -> None:
    image = field([(60, 60), (60, 160), (160, 60), (160, 160)])
    every = find_beads(image)
    two = find_beads(image, max_beads=2)
    np.testing.assert_array_equal(two.score, every.score[:2])
    assert len(find_beads(image, max_beads=0)) == 0
    assert len(find_beads(image, min_score=1.01)) == 0


def test_nothing_to_find() -> None:
    rng = np.random.default_rng(2)
    y, x = np.indices((300, 400))
    images = [
        np.full((300, 400), 9, np.uint8),
        rng.normal(100, 8, (300, 400)),
        rng.poisson(2.0, (300, 400)).astype(np.uint8),
        rng.integers(0, 65535, (300, 400)).astype(np.uint16),
        x + 0.5 * y,
        100 + 50.0 * (x > 200),
        np.full((300, 400), np.nan),
        np.zeros((5, 400)),
        np.zeros((0, 0)),
    ]
    for image in images:
        found = find_beads(image)
        assert len(found) == 0
        assert suggest_roi_size(found) == 64
        assert beads_from_found(found, (300, 400), 64) == ()


def test_missing_pixels_count_as_background() -> None:
    image = field([(100, 120)]).astype(float)
    image[300:310, 400:410] = np.nan
    found = find_beads(image)
    assert len(found) == 1
    assert nearest(found, 100, 120) < 1


def test_noise_free_bead_is_found() -> None:
    middle = np.array([40.0])
    found = find_beads(rings(middle, middle, np.zeros(1), 81)[0])
    assert len(found) == 1
    assert nearest(found, 40, 40) < 0.5


@pytest.mark.parametrize(
    "image", [np.zeros((2, 64, 64)), np.zeros((64, 64), complex), np.zeros(64), "frame.tif"]
)
def test_what_is_no_image_is_refused(image: object) -> None:
    with pytest.raises(InputError, match="image"):
        find_beads(image)


def test_senseless_bounds_are_refused() -> None:
    with pytest.raises(InputError, match="4 px"):
        find_beads(np.zeros((64, 64)), size_px=4)
    with pytest.raises(InputError, match="-1 beads"):
        find_beads(np.zeros((64, 64)), max_beads=-1)


@pytest.mark.parametrize(("radius", "size"), [(5, 32), (20, 52), (27, 72), (90, 128)])
def test_suggested_sizes_are_even_and_bounded(radius: float, size: int) -> None:
    one = np.ones(3)
    assert suggest_roi_size(FoundBeads(one, one, radius * one, one, one > 0)) == size


@settings(max_examples=15, deadline=None)
@given(
    y=st.floats(40, 120), x=st.floats(40, 150), gain=st.floats(0.05, 100), offset=st.floats(0, 1e4)
)
def test_one_bead_anywhere_at_any_brightness(
    y: float, x: float, gain: float, offset: float
) -> None:
    found = find_beads(field([(y, x)], (160, 190)) * gain + offset)
    assert len(found) == 1
    assert nearest(found, y, x) < 1.0
