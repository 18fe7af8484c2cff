"""The history of beads: what it keeps, in what order, in how much memory, beside its writer."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from napari_beadscope.core.types import TRACK_ROW, Reason
from napari_beadscope.ui.plots.history import History


def rows_of(seqs: range, beads: int = 3, rate_hz: float = 100.0, since_ns: int = 0) -> np.ndarray:
    rows = np.zeros(len(seqs) * beads, TRACK_ROW)
    rows["seq"] = np.repeat(list(seqs), beads)
    rows["frame"] = rows["seq"] + 1000
    rows["time_ns"] = since_ns + rows["seq"] * int(1e9 / rate_hz)
    rows["bead"] = np.tile(np.arange(beads), len(seqs))
    rows["x_px"] = 100.0 * rows["bead"] + 0.001 * rows["seq"]
    rows["y_px"] = 2000.0 + rows["x_px"]
    rows["z_nm"] = rows["seq"]
    rows["quality"] = 0.9
    return rows


def test_it_gives_back_what_it_got() -> None:
    history = History(frames=1000, beads=5)
    for start in range(0, 500, 50):
        history.add(rows_of(range(start, start + 50)))
    assert history.beads == (0, 1, 2)
    assert history.span_s == (0.0, pytest.approx(4.99))
    seen = history.copy((2, 0), 1.0, 2.0)
    assert seen.beads == (2, 0)
    assert seen.frame.tolist() == list(range(1100, 1201))
    assert seen.time_s == pytest.approx(np.arange(100, 201) / 100)
    assert seen.xyz[0, 0] == pytest.approx(200 + 0.001 * np.arange(100, 201), abs=1e-5)
    assert seen.xyz[1, 1] == pytest.approx(2000 + 0.001 * np.arange(100, 201), abs=1e-5)
    assert seen.xyz[1, 2].tolist() == list(range(100, 201))


def test_ten_minutes_of_fifty_beads_take_fifty_megabytes_and_no_more() -> None:
    history = History()
    assert history.nbytes < 50e6
    before = history.nbytes
    for start in range(0, 130_000, 10_000):
        history.add(rows_of(range(start, start + 10_000, 20), beads=60))
    assert history.nbytes == before
    assert len(history.beads) == 50
    assert history.left_out == 10
    first, last = history.span_s
    assert 599 < last - first <= 600


def test_frames_that_were_skipped_are_missing() -> None:
    history = History(frames=100, beads=2)
    history.add(rows_of(range(0, 100), 1))
    history.add(rows_of(range(150, 160), 1))
    seen = history.copy((0,), 0.0, 100.0)
    assert seen.frame.tolist() == [*range(1060, 1100), *range(1150, 1160)]
    assert np.isfinite(seen.xyz).all()


def test_late_rows_of_another_tracker_find_their_place_and_repeats_do_no_harm() -> None:
    history = History(frames=100, beads=2)
    history.add(rows_of(range(0, 20, 2)))
    history.add(rows_of(range(1, 20, 2)))
    history.add(rows_of(range(10, 20)))
    seen = history.copy((1,), 0.0, 1.0)
    assert seen.frame.tolist() == list(range(1000, 1020))
    assert seen.xyz[0, 2].tolist() == list(range(20))


def test_doubtful_coordinates_are_left_out_their_quality_is_not() -> None:
    history = History(frames=100, beads=2)
    rows = rows_of(range(4), 1)
    rows["reason"] = [Reason.OK, Reason.Z_OUT_OF_RANGE, Reason.OUT_OF_RANGE, Reason.EMPTY]
    history.add(rows)
    seen = history.copy((0,), 0.0, 1.0)
    assert np.isfinite(seen.xyz[0]).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [True, False, False, False],
    ]
    assert np.isfinite(seen.quality).all()


def test_chosen_beads_have_a_place_when_there_are_too_many() -> None:
    history = History(frames=100, beads=3)
    history.add(rows_of(range(5), 8))
    assert history.beads == (0, 1, 2)
    history.prefer(frozenset({7}))
    history.add(rows_of(range(5, 10), 8))
    assert history.beads == (0, 1, 7)
    assert np.isnan(history.copy((7,), 0.0, 1.0).xyz[0, 0]).tolist() == [True] * 5 + [False] * 5
    history.keep(frozenset({1, 3}))
    assert history.beads == (1,)
    history.add(rows_of(range(10, 11), 8)[3:4])
    assert history.beads == (1, 3)


def test_a_new_stream_begins_anew() -> None:
    history = History(frames=100, beads=3)
    history.add(rows_of(range(500, 600)))
    history.add(rows_of(range(0, 10), since_ns=int(60e9)))
    assert history.copy((0,), -1e9, 1e9).frame.tolist() == list(range(1000, 1010))
    assert history.span_s[0] == 0.0
    history.clear()
    assert history.beads == ()
    assert history.span_s == (0.0, 0.0)


def test_a_moment_of_this_computers_clock_is_on_the_same_axis() -> None:
    history = History(frames=100, beads=3)
    now_ns = time.monotonic_ns()
    history.add(rows_of(range(10), since_ns=now_ns))
    assert history.second_of(now_ns + 50_000_000) == pytest.approx(0.05)
    replayed = History(frames=100, beads=3)
    replayed.add(rows_of(range(10), since_ns=12345))
    assert replayed.second_of(time.monotonic_ns()) == pytest.approx(0.09, abs=0.05)


def test_a_reader_beside_the_writer_never_sees_what_is_half_written() -> None:
    history = History(frames=2000, beads=4)
    history.add(rows_of(range(2000), 4))
    done = threading.Event()

    def write() -> None:
        for start in range(2000, 40_000, 10):
            history.add(rows_of(range(start, start + 10), 4))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        seen = history.copy((0, 1, 2, 3), -1.0, 1e9)
        seq = seen.frame - 1000
        assert (np.diff(seq) == 1).all()
        for bead in range(4):
            assert (seen.xyz[bead, 2] == seq).all()
        reads += 1
    writer.join()
    assert reads > 5
