"""Range arithmetic against sets of integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.storage.gaps import Ledger
from napari_beadscope.storage.ranges import Causes, RangeSet

numbers = st.integers(0, 30)
ranges = st.lists(st.tuples(numbers, numbers), max_size=12)


def _set(pairs: list[tuple[int, int]]) -> set[int]:
    return {k for first, last in pairs for k in range(first, last + 1)}


@given(ranges, ranges)
def test_a_range_set_is_a_set(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    a, b = RangeSet(one), RangeSet(two)
    assert _set(list(a)) == _set(one)
    assert a.count == len(_set(one))
    assert _set(list(a - b)) == _set(one) - _set(two)
    assert _set(list(a & b)) == _set(one) & _set(two)
    assert [k in a for k in range(32)] == [k in _set(one) for k in range(32)]
    assert all(second[0] > first[1] + 1 for first, second in zip(list(a), list(a)[1:]))
    for first, last in two:
        assert a.overlaps(first, last) == bool(_set(one) & _set([(first, last)]))


@given(st.lists(st.tuples(numbers, numbers, st.sampled_from("abc")), max_size=10), ranges)
def test_the_last_cause_stands(
    rows: list[tuple[int, int, str]], frames: list[tuple[int, int]]
) -> None:
    causes = Causes(rows)
    wanted = dict.fromkeys(_set(frames), "?")
    for first, last, cause in rows:
        wanted.update({k: cause for k in range(first, last + 1) if k in wanted})
    found = {
        k: cause
        for first, last, cause in causes.within(RangeSet(frames), "?")
        for k in range(first, last + 1)
    }
    assert found == wanted


def test_gaps_are_what_was_not_written_with_their_causes() -> None:
    ledger = Ledger()
    ledger.wrote([0, 1, 2, 6, 7, 12])
    ledger.note_gap(4, 7, "lost: camera restarted")
    ledger.note_gap(13, 14, "dropped: ring full")
    assert [(g.first, g.last, g.cause) for g in ledger.gaps()] == [
        (3, 3, "dropped"),
        (4, 5, "lost: camera restarted"),
        (8, 11, "dropped"),
        (13, 14, "dropped: ring full"),
    ]


def test_untracked_frames_are_written_frames_without_rows() -> None:
    ledger = Ledger()
    ledger.wrote(range(10))
    ledger.note_untracked(3, 20, "tracker was killed")
    assert [(g.first, g.last) for g in ledger.untracked(finished=False)] == [(3, 20)]
    ledger.got_tracks(np.array([5, 0, 1, 4]))
    assert [(g.first, g.last, g.cause) for g in ledger.untracked(finished=True)] == [
        (2, 2, "not tracked"),
        (3, 3, "tracker was killed"),
        (6, 9, "tracker was killed"),
    ]


def test_a_gap_at_every_other_frame_stays_quick() -> None:
    ledger = Ledger()
    for k in range(0, 40_000, 2):
        ledger.wrote([k])
        ledger.note_gap(k + 1, k + 1, "dropped: ring full")
    assert len(ledger.gaps()) == 20_000
