"""XY-lock's law: ROIs follow their beads, and stay where following would do harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.control import follow_beads
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.locks import XYLock, check_lock
from napari_beadscope.core.types import TRACK_ROW, Bead, Reason, Roi

SHAPE = (200, 300)


def rows_of(
    places: dict[int, tuple[float, float]], frames: int = 10, noise: float = 0.0
) -> np.ndarray:
    """Rows of beads at ``(y, x)``, frame after frame."""
    draw = np.random.default_rng(4)
    rows = np.zeros(frames * len(places), TRACK_ROW)
    rows["seq"] = np.repeat(np.arange(frames), len(places))
    rows["bead"] = np.tile(list(places), frames)
    centres = np.tile(np.array(list(places.values())), (frames, 1))
    rows["y_px"], rows["x_px"] = (centres + draw.normal(0, noise, centres.shape)).T
    return rows


def bead(number: int, y_px: float, x_px: float, size: int = 32) -> Bead:
    return Bead(number, Roi.around(y_px, x_px, size))


def test_an_roi_comes_after_its_bead_by_at_most_the_step() -> None:
    beads = [bead(7, 80.5, 80.5), bead(3, 80.5, 180.5)]
    rows = rows_of({7: (84.2, 80.1), 3: (80.5, 150.0)}, noise=0.05)
    step = follow_beads(rows, beads, SHAPE, XYLock(max_step_px=5))
    assert step.moves == (Bead(7, Roi(69, 65, 32)), Bead(3, Roi(65, 160, 32)))
    assert step.held == ()
    assert step.followed == (7, 3)
    assert step.step_px == 5


def test_less_than_a_pixel_moves_nothing() -> None:
    step = follow_beads(rows_of({0: (80.9, 81.3)}), [bead(0, 80.5, 80.5)], SHAPE, XYLock())
    assert step.moves == ()
    assert step.followed == (0,)


def test_only_the_last_frames_count() -> None:
    old = rows_of({0: (80.5, 80.5)}, frames=50)
    new = rows_of({0: (80.5, 90.5)}, frames=10)
    lock = XYLock(window=10)
    moved = follow_beads(np.concatenate([old, new]), [bead(0, 80.5, 80.5)], SHAPE, lock).moves
    assert moved[0].roi.x0 == 75


def test_a_lost_bead_is_held_and_the_others_are_followed() -> None:
    rows = rows_of({0: (80.5, 84.5), 1: (80.5, 184.5), 2: (140.5, 80.5)})
    rows["reason"][(rows["bead"] == 0) & (rows["seq"] > 3)] = Reason.EMPTY
    rows["x_px"][rows["reason"] > 0] = np.nan
    beads = [bead(0, 80.5, 80.5), bead(1, 80.5, 180.5), bead(2, 140.5, 80.5), bead(9, 140.5, 250.5)]
    step = follow_beads(rows, beads, SHAPE, XYLock())
    assert [(held.bead, held.why) for held in step.held] == [(0, "it is lost"), (9, "it is lost")]
    assert [moved.bead for moved in step.moves] == [1]
    assert step.followed == (1, 2)


def test_a_few_bad_rows_do_not_pull_the_roi() -> None:
    rows = rows_of({0: (80.5, 84.5)})
    rows["reason"][:3] = Reason.POOR_MATCH
    rows["x_px"][:3] = 2000.0
    assert follow_beads(rows, [bead(0, 80.5, 80.5)], SHAPE, XYLock()).moves[0].roi.x0 == 69


def test_an_roi_goes_to_the_edge_of_the_frame_and_along_it() -> None:
    step = follow_beads(rows_of({0: (86.5, 10.0)}), [bead(0, 80.5, 18.5)], SHAPE, XYLock())
    assert step.moves == (Bead(0, Roi(71, 0, 32)),)  # 3 px further, 8 would be too far
    assert "leave the frame" in step.held[0].why
    step = follow_beads(rows_of({0: (90.5, 10.0)}), step.moves, SHAPE, XYLock())
    assert step.moves == (Bead(0, Roi(75, 0, 32)),)
    assert step.held != ()
    step = follow_beads(rows_of({0: (90.5, 10.0)}), step.moves, SHAPE, XYLock())
    assert step.moves == ()
    assert "leave the frame" in step.held[0].why


def test_an_roi_does_not_come_to_lie_over_a_neighbour() -> None:
    beads = [bead(0, 80.5, 80.5), bead(1, 80.5, 114.5)]
    step = follow_beads(rows_of({0: (80.5, 87.5), 1: (80.5, 114.5)}), beads, SHAPE, XYLock())
    assert step.moves == (Bead(0, Roi(65, 67, 32)),)  # as far as it can: 2 px of 7
    assert step.held[0].why == "its ROI would lie over that of bead 1"
    together = follow_beads(rows_of({0: (80.5, 87.5), 1: (80.5, 121.5)}), beads, SHAPE, XYLock())
    assert len(together.moves) == 2  # the stage drifts: nobody gets nearer to anybody


def test_rois_that_overlap_already_may_go_apart_but_not_nearer() -> None:
    beads = [bead(0, 80.5, 80.5), bead(1, 80.5, 100.5)]
    apart = follow_beads(rows_of({0: (80.5, 74.5), 1: (80.5, 106.5)}), beads, SHAPE, XYLock())
    assert len(apart.moves) == 2
    nearer = follow_beads(rows_of({0: (80.5, 86.5), 1: (80.5, 94.5)}), beads, SHAPE, XYLock())
    assert nearer.moves == ()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 168), st.integers(0, 268), st.floats(-40, 240), st.floats(-40, 340)
        ),
        max_size=12,
    ),
    st.sampled_from([1, 4, 50]),
)
def test_whatever_beads_do_rois_stay_inside_and_overlap_no_more(
    places: list[tuple[int, int, float, float]], limit: int
) -> None:
    beads = [Bead(i, Roi(y0, x0, 32)) for i, (y0, x0, _, _) in enumerate(places)]
    rows = rows_of({i: (y, x) for i, (_, _, y, x) in enumerate(places)} or {99: (0.0, 0.0)})
    step = follow_beads(rows, beads, SHAPE, XYLock(max_step_px=limit))
    after = {one.bead: one.roi for one in beads} | {one.bead: one.roi for one in step.moves}

    def shared(a: Roi, b: Roi) -> int:
        return max(0, 32 - abs(a.y0 - b.y0)) * max(0, 32 - abs(a.x0 - b.x0))

    for one in beads:
        assert after[one.bead].inside(SHAPE)
        assert (
            max(abs(after[one.bead].y0 - one.roi.y0), abs(after[one.bead].x0 - one.roi.x0)) <= limit
        )
        for other in beads:
            if other.bead < one.bead:
                assert shared(after[one.bead], after[other.bead]) <= shared(one.roi, other.roi)
    assert {*step.followed} | {held.bead for held in step.held} == {one.bead for one in beads}


def test_ten_minutes_of_drift_lose_no_bead() -> None:
    """50 nm/s at 100 nm/px, looked at every 10 s, with Brownian motion of 1 px."""
    draw = np.random.default_rng(2)
    beads = [bead(i, 60.5 + 40 * (i % 3), 60.5 + 40 * (i // 3)) for i in range(9)]
    start = {one.bead: np.array(one.roi.centre_px) for one in beads}
    lock = XYLock(interval_s=10, window=20)
    shape = (600, 600)
    for second in range(0, 600, 10):
        drift = second * 0.5 * np.array([0.6, 0.8])
        rows = rows_of({i: tuple(place + drift) for i, place in start.items()}, 20)
        for axis in ("y_px", "x_px"):
            rows[axis] += draw.normal(0, 1, len(rows))
        for one in beads:
            away = start[one.bead] + drift - np.array(one.roi.centre_px)
            assert np.abs(away).max() < 8
        moved = {one.bead: one for one in follow_beads(rows, beads, shape, lock).moves}
        beads = [moved.get(one.bead, one) for one in beads]


def test_beads_whose_rois_overlap_each_other_are_followed_through_drift() -> None:
    """Rounding takes each ROI another way now and then; nobody is left behind for that."""
    draw = np.random.default_rng(3)
    beads = [bead(i, 60.5 + 20 * (i % 2), 60.5 + 22 * (i // 2)) for i in range(6)]
    start = {one.bead: np.array(one.roi.centre_px) for one in beads}
    for look in range(120):
        drift = look * np.array([2.3, 3.7])
        rows = rows_of({i: tuple(place + drift) for i, place in start.items()})
        for axis in ("y_px", "x_px"):
            rows[axis] += draw.normal(0, 2, len(rows))
        for one in beads:
            away = start[one.bead] + drift - np.array(one.roi.centre_px)
            assert np.abs(away).max() < 8, look
        moved = {one.bead: one for one in follow_beads(rows, beads, (600, 600), XYLock()).moves}
        beads = [moved.get(one.bead, one) for one in beads]


def test_parameters_out_of_range_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="interval_s of the XY-lock is -1: give 0 to 3600 s"):
        check_lock(XYLock(interval_s=-1))
