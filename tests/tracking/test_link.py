"""Linking of beads that move freely, against paths that are known."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError, TrackingError
from napari_beadscope.core.types import Reason
from napari_beadscope.testing.backends import ring_zlut, rings
from napari_beadscope.tracking import find_and_link, link_positions, open_backend

STEP = 1.0  # rms per axis and frame


def diffusion(
    beads: int, frames: int, edge: float, seed: int, lost: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brownian beads in an open box: bead, frame and (y, x) of each position, in shuffled order."""
    rng = np.random.default_rng(seed)
    path = rng.uniform(0, edge, (beads, 2)) + rng.normal(0, STEP, (frames, beads, 2)).cumsum(axis=0)
    frame, bead = np.indices((frames, beads))
    kept = np.flatnonzero(rng.random(frame.size) >= lost)
    rng.shuffle(kept)
    return bead.ravel()[kept], frame.ravel()[kept], path.reshape(-1, 2)[kept]


def broken_links(bead: np.ndarray, frame: np.ndarray, track: np.ndarray) -> float:
    """Share of a bead's steps at which its track number changes."""
    order = np.lexsort((frame, bead))
    same = bead[order][1:] == bead[order][:-1]
    return float((np.diff(track[order])[same] != 0).mean())


def test_diffusing_beads_keep_their_numbers() -> None:
    # 60 beads in 500 px: next neighbours 32 px apart on average, many paths cross
    bead, frame, place = diffusion(60, 100, 500, seed=5, lost=0.02)
    track = link_positions(frame, *place.T, max_step_px=5 * STEP, max_gap_frames=3)
    assert broken_links(bead, frame, track) < 0.002
    assert 60 <= track.max() + 1 <= 64


def test_no_position_is_in_two_places_and_no_step_is_too_long() -> None:
    _, frame, place = diffusion(150, 40, 150, seed=1, lost=0.1)  # too crowded to be followed
    limit, gap = 3.0, 2
    track = link_positions(frame, *place.T, max_step_px=limit, max_gap_frames=gap)
    assert len(np.unique(np.column_stack([track, frame]), axis=0)) == len(track)
    order = np.lexsort((frame, track))
    same = np.diff(track[order]) == 0
    steps = np.linalg.norm(np.diff(place[order], axis=0), axis=1)[same]
    frames = np.diff(frame[order])[same]
    assert frames.max() == gap + 1
    assert (steps <= limit * np.sqrt(frames) * (1 + 1e-5)).all()
    assert steps.max() > 0.9 * limit


def test_gaps_are_closed_up_to_the_limit_only() -> None:
    for missing in (0, 1, 2, 3):
        frame = np.array([0, 1, 2, 3 + missing, 4 + missing])
        for limit in (0, 1, 2, 3):
            track = link_positions(
                frame, np.zeros(5), np.arange(5.0), max_step_px=1.5, max_gap_frames=limit
            )
            expected = [0] * 5 if missing <= limit else [0, 0, 0, 1, 1]
            assert track.tolist() == expected, (missing, limit)


def test_one_position_of_two_goes_to_the_nearer_track() -> None:
    """No merging: the other track ends. No splitting: a second bead begins a track."""
    track = link_positions([0, 0, 1, 2, 2], [0, 0, 0, 0, 0], [0, 4, 1, 1, 2.5], max_step_px=5)
    assert track[:4].tolist() == [0, 1, 0, 0]
    assert track[4] == 1  # found again after one missing frame


def test_the_sum_of_squares_decides_not_the_nearest_alone() -> None:
    # the second bead can only go to 5: so the first goes to 2 although 5 is no farther
    track = link_positions([0, 0, 1, 1], [0] * 4, [3.5, 8.5, 5.0, 2.0], max_step_px=4.0)
    assert track.tolist() == [0, 1, 1, 0]


def test_rows_without_a_position_have_no_track() -> None:
    x = [0.0, np.nan, 1.0, np.inf, 2.0]
    assert link_positions(range(5), [0] * 5, x, max_step_px=2).tolist() == [0, -1, 0, -1, 0]
    nothing = link_positions([], [], [], max_step_px=1)
    assert nothing.dtype == np.int64
    assert len(nothing) == 0
    assert link_positions([3], [np.nan], [1], max_step_px=1).tolist() == [-1]


def test_frame_numbers_may_jump_and_begin_anywhere() -> None:
    frame = np.array([-5, -4, 10**12, 10**12 + 2])
    track = link_positions(frame, [0, 0, 0, 0], [0, 1, 1, 1], max_step_px=2)
    assert track.tolist() == [0, 0, 1, 1]
    assert link_positions(frame.astype(float), [0] * 4, [0, 1, 1, 1], max_step_px=2).tolist() == [
        0, 0, 1, 1
    ]  # fmt: skip


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 0.25, 1024.0]),
    shift=st.integers(-500, 500),
)
def test_links_depend_on_no_order_unit_or_origin(seed: int, scale: float, shift: int) -> None:
    _, frame, place = diffusion(8, 12, 40, seed, lost=0.1)
    plain = link_positions(frame, *place.T, max_step_px=4)
    order = np.random.default_rng(seed).permutation(len(frame))
    other = link_positions(
        frame[order] + shift,
        place[order, 1] * scale + shift * scale,  # x and y swapped
        place[order, 0] * scale,
        max_step_px=4 * scale,
    )
    pairs = np.unique(np.column_stack([plain[order], other]), axis=0)
    assert len(pairs) == plain.max() + 1 == other.max() + 1  # the same tracks, numbered anew


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"frame": [0, 1, 2]}, "3 frame numbers, but 2 y and 2 x"),
        ({"frame": [[0, 1]]}, r"frame has the shape \(1, 2\)"),
        ({"frame": [0.0, 0.5]}, "not a whole number"),
        ({"frame": [0.0, np.nan]}, "not a whole number"),
        ({"y_px": ["a", "b"]}, "y_px holds .*not numbers"),
        ({"x_px": [1j, 2j]}, "x_px holds complex"),
        ({"max_step_px": 0}, "above 0"),
        ({"max_step_px": float("nan")}, "above 0"),
        ({"max_step_px": float("inf")}, "above 0"),
        ({"max_gap_frames": -1}, "0 or more"),
        ({"max_gap_frames": 1.5}, "whole number"),
    ],
)
def test_bad_input_is_refused(given_: dict[str, Any], says: str) -> None:
    usual: dict[str, Any] = {"frame": [0, 1], "y_px": [0, 0], "x_px": [0, 1], "max_step_px": 2}
    with pytest.raises(InputError, match=says):
        link_positions(**{**usual, **given_})


def test_without_laptrack_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "laptrack" else find_spec(name)
    )
    with pytest.raises(TrackingError, match=r"pip install napari-beadscope\[linking\]"):
        link_positions([0], [0], [0], max_step_px=1)
    with pytest.raises(TrackingError, match="laptrack"):
        find_and_link(iter(()), max_step_px=1)


def movie(x: np.ndarray, y: np.ndarray, z: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Ring patterns of 48 px at whole and broken places; arrays (t, beads)."""
    frames = np.full((len(x), *shape), 100.0)
    for t in range(len(x)):
        for bead in range(x.shape[1]):
            left, top = int(x[t, bead]) - 24, int(y[t, bead]) - 24
            place = np.array([[x[t, bead] - left], [y[t, bead] - top], [z[t, bead]]])
            frames[t, top : top + 48, left : left + 48] += rings(*place)[0] - 100
    noisy = frames + np.random.default_rng(0).normal(0, 1.5, frames.shape)
    return np.rint(noisy).clip(0, 255).astype(np.uint8)


def test_beads_are_found_tracked_and_linked_through_a_movie() -> None:
    t = np.arange(12.0)[:, np.newaxis]
    x, y = np.hstack([40 + 2.3 * t, 130 - 2.1 * t]), np.hstack([45 + 0.4 * t, 110 - 0.7 * t])
    z = np.hstack([100 * t - 500, 400 - 50 * t])
    backend = open_backend("cpu")
    frames = movie(x, y, z, (150, 170))
    frames[5] = 100  # the lamp failed
    beads = find_and_link(
        frames, max_step_px=4, size_px=48, zlut=ring_zlut(backend), backend=backend
    )
    assert np.unique(beads.track).tolist() == [0, 1]
    assert len(beads) == 22
    assert 5 not in beads.frame
    assert (beads.reason == Reason.OK).all()
    assert (beads.quality > 0.7).all()
    assert (np.diff(beads.frame) >= 0).all()
    first = int(np.abs(x[0] - beads.x_px[0]).argmin())
    who = np.where(beads.track == 0, first, 1 - first)
    assert np.abs(beads.x_px - x[beads.frame, who]).max() < 0.1
    assert np.abs(beads.y_px - y[beads.frame, who]).max() < 0.1
    assert np.sqrt(np.mean((beads.z_nm - z[beads.frame, who]) ** 2)) < 40


def test_a_bead_that_leaves_the_frame_is_clipped_not_lost() -> None:
    t = np.arange(8.0)[:, np.newaxis]
    wide = movie(60 - 4 * t, 60 + 0 * t, 0 * t, (120, 120))
    beads = find_and_link(wide[:, :, 12:], max_step_px=6, size_px=48)
    assert np.unique(beads.track).tolist() == [0]
    clipped = beads.reason == Reason.CLIPPED
    assert clipped.tolist() == (beads.x_px < 23).tolist()
    assert clipped.any()
    assert np.isnan(beads.z_nm).all()
    assert np.abs(beads.x_px - (48 - 4 * beads.frame)).max() < 1.5


def test_a_movie_without_beads_or_with_odd_frames() -> None:
    nothing = find_and_link(np.full((3, 60, 60), 9, np.uint8), max_step_px=3)
    assert len(nothing) == 0
    assert nothing.track.dtype == np.int64
    with pytest.raises(InputError, match="frame 1 has the shape"):
        find_and_link([np.zeros((60, 60)), np.zeros((60, 61))], max_step_px=3)
    with pytest.raises(InputError, match="above 0"):
        find_and_link([np.zeros((60, 60))], max_step_px=0)
