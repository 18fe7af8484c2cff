"""Finding beads: contracts, bounds, senseless input, and what must not change the answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import FoundBeads, beads_from_found, find_beads, suggest_roi_size


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
    assert max(nearest(found, *bead) for bead in truth) < 0.5
    assert (found.score > 0.9).all()
    assert (np.diff(found.score) <= 0).all()
    again = find_beads(image)
    np.testing.assert_array_equal(found.y_px, again.y_px)
    np.testing.assert_array_equal(found.score, again.score)


def test_neighbours_and_edges() -> None:
    found = find_beads(field([(100, 100), (104, 130), (300, 300), (200, 4)]), size_px=48)
    alone = {
        (round(y), round(x)): bool(a)
        for y, x, a in zip(found.y_px, found.x_px, found.isolated, strict=True)
    }
    assert sorted(alone) == [(100, 100), (104, 130), (200, 4), (300, 300)]
    assert [alone[key] for key in sorted(alone)] == [False, False, False, True]
    beads = beads_from_found(found, (400, 520), 48)
    assert [bead.bead for bead in beads] == [0, 1, 2]
    assert beads[0].roi.centre_px == pytest.approx((300, 300), abs=1)
    assert all(bead.roi.inside((400, 520)) for bead in beads)


def test_alone_is_whom_no_ring_reaches() -> None:
    image = field([(200, 150), (200, 250)])
    radius = find_beads(image).radius_px
    free, reached = (2 * round(100 - side) for side in (radius.max() + 4, radius.min() - 4))
    assert find_beads(image, size_px=free).isolated.all()
    assert not find_beads(image, size_px=reached).isolated.any()


def test_the_least_score_makes_nobody_lonely() -> None:
    image = field([(100, 100), (104, 130), (300, 300)])
    scores = find_beads(image).score
    best = find_beads(image, min_score=float(scores[0]))
    assert len(best) < 3
    every = find_beads(image)
    kept = np.isin(every.y_px, best.y_px)
    np.testing.assert_array_equal(every.isolated[kept], best.isolated)


def test_the_best_are_kept() -> None:
    image = field([(60, 60), (60, 160), (160, 60), (160, 160)])
    every = find_beads(image)
    two = find_beads(image, max_beads=2)
    np.testing.assert_array_equal(two.score, every.score[:2])
    assert len(find_beads(image, max_beads=0)) == 0
    assert len(find_beads(image, min_score=1.01)) == 0
    assert len(find_beads(image, min_score=0.0)) >= 4


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
        np.full((300, 400), np.inf),
        np.full((300, 400), 255, np.uint8),
        np.zeros((300, 400), bool),
        np.where(rng.random((300, 400)) < 1e-3, 65535, 100).astype(np.uint16),
        np.zeros((5, 400)),
        np.zeros((16, 16)),
        np.zeros((1, 1)),
        np.zeros((0, 0)),
        np.zeros((0, 300)),
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
    with pytest.raises(InputError, match="not a number"):
        find_beads(np.zeros((64, 64)), min_score=float("nan"))


@pytest.mark.parametrize(("radius", "size"), [(5, 32), (20, 52), (27, 72), (90, 128)])
def test_suggested_sizes_are_even_and_bounded(radius: float, size: int) -> None:
    one = np.ones(3)
    assert suggest_roi_size(FoundBeads(one, one, radius * one, one, one > 0)) == size


def assert_same_beads(
    found: FoundBeads, y: np.ndarray, x: np.ndarray, as_found: FoundBeads
) -> None:
    """Fail unless `found` are the beads of `as_found`, at `y`, `x`, in any order."""
    assert len(found) == len(y)
    for at in range(len(found)):
        away = np.hypot(y - found.y_px[at], x - found.x_px[at])
        other = int(away.argmin())
        assert away[other] < 0.1
        assert found.radius_px[at] == pytest.approx(as_found.radius_px[other], abs=2)
        assert found.score[at] == pytest.approx(as_found.score[other], abs=0.05)
        assert found.isolated[at] == as_found.isolated[other]


BEADS = [(70.3, 80.9), (75.1, 190.4), (180.6, 70.2), (190.2, 200.8)]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.astype(np.uint16) * 200,
        lambda image: image * 3.7e-9,
        lambda image: image - 1e6,
        lambda image: image.astype(np.float32) * 1e30,
        lambda image: image.astype(np.float64) * 1e305,
        lambda image: image.astype(np.int64) * -(10**15),
        lambda image: 255 - image,
        lambda image: image.astype(">u2"),
        lambda image: image.astype(np.int16) - 300,
        lambda image: np.asfortranarray(image),
        lambda image: np.repeat(image, 2, axis=1)[:, ::2],
    ],
)
def test_numbers_of_any_kind_give_the_same_beads(
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    image = field(BEADS, (260, 280))
    plain = find_beads(image)
    assert len(plain) == len(BEADS)
    assert_same_beads(find_beads(change(image)), plain.y_px, plain.x_px, plain)


def test_the_image_is_left_alone() -> None:
    image = field(BEADS, (260, 280))
    image.flags.writeable = False
    before = image.copy()
    assert len(find_beads(image)) == len(BEADS)
    np.testing.assert_array_equal(image, before)


@settings(max_examples=15, deadline=None)
@given(down=st.integers(0, 37), right=st.integers(0, 37))
def test_shifted_frame_gives_shifted_beads(down: int, right: int) -> None:
    wide = field([(y + 40, x + 40) for y, x in BEADS], (340, 360))
    plain = find_beads(wide[38:298, 38:318])
    moved = find_beads(wide[38 - down : 298 - down, 38 - right : 318 - right])
    inside = (plain.y_px + down < 225) & (plain.x_px + right < 245)  # still whole
    for y, x in zip(plain.y_px[inside], plain.x_px[inside], strict=True):
        assert nearest(moved, y + down, x + right) < 0.1


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), flips=st.integers(0, 7))
def test_turned_frame_gives_turned_beads(seed: int, flips: int) -> None:
    image = field(BEADS, (260, 280), seed)
    plain = find_beads(image)
    turned, y, x = image, plain.y_px, plain.x_px
    if flips & 1:
        turned, y = turned[::-1], len(turned) - 1 - y
    if flips & 2:
        turned, x = turned[:, ::-1], turned.shape[1] - 1 - x
    if flips & 4:
        turned, y, x = turned.T, x, y
    assert_same_beads(find_beads(turned), y, x, plain)


@settings(max_examples=15, deadline=None)
@given(
    y=st.floats(40, 120), x=st.floats(40, 150), gain=st.floats(0.05, 100), offset=st.floats(0, 1e4)
)
def test_one_bead_anywhere_at_any_brightness(
    y: float, x: float, gain: float, offset: float
) -> None:
    found = find_beads(field([(y, x)], (160, 190)) * gain + offset)
    assert len(found) == 1
    assert nearest(found, y, x) < 0.5
