from __future__ import annotations

import os
import random
import signal
import time

import numpy as np
import pytest

from napari_beadscope.core.errors import RingError
from napari_beadscope.core.types import TRACK_ROW
from napari_beadscope.ring import TrackReader, TrackRingSpec, TrackWriter
from napari_beadscope.ring.segment import Segment

SPEC = TrackRingSpec("t-rows", 10)


@pytest.fixture
def ring():
    with TrackWriter.create(SPEC) as writer:
        yield writer
    Segment.unlink(SPEC.name)


@pytest.fixture
def reader(ring):
    with TrackReader.attach(SPEC, writable=True) as reader:
        yield reader


def rows(*frames: int) -> np.ndarray:
    block = np.zeros(len(frames), TRACK_ROW)
    block["frame"] = block["seq"] = frames
    block["profile"] = block["frame"][:, None]
    return block


def frames(found: tuple[np.ndarray, int]) -> list[int]:
    block = found[0]
    assert (block["profile"] == block["frame"][:, None]).all()
    return block["frame"].tolist()


def test_rows_come_out_as_they_went_in_around_the_end(ring, reader):
    assert frames(reader.read(0)) == []
    since, got = 0, []
    for k in range(0, 30, 3):
        assert ring.append(rows(k, k + 1, k + 2), k + 3)
        block, since = reader.read(since)
        got += block["frame"].tolist()
        assert (ring.head, reader.done) == (k + 3, k + 3)
    assert got == list(range(30))
    assert frames(reader.read(0)) == list(range(20, 30))
    assert frames(reader.read(23, limit=4)) == [23, 24, 25, 26]
    assert reader.read(23, limit=4)[1] == 27
    assert frames(reader.read(99)) == []


def test_a_whole_ring_and_no_row_at_once(ring, reader):
    assert ring.append(rows(*range(10)), 1)
    assert frames(reader.read(0)) == list(range(10))
    assert ring.append(rows(), 7)
    assert (ring.head, ring.done) == (10, 7)
    with pytest.raises(RingError, match="11 track rows"):
        ring.append(rows(*range(11)), 8)


def test_the_lossless_reader_is_never_lapped(ring, reader):
    ring.append(rows(0, 1), 2)
    assert reader.register() == 2
    assert reader.is_claimed
    assert ring.append(rows(*range(2, 10)), 10)
    assert not ring.append(rows(10, 11, 12), 13)
    assert (ring.head, ring.done) == (10, 10)
    reader.advance(3)
    assert ring.append(rows(10, 11, 12), 13)
    assert frames(reader.read(reader.cursor)) == list(range(3, 13))
    assert not ring.append(rows(13), 14)
    ring.release_reader()
    assert ring.append(rows(13), 14)


def test_a_claim_seen_late_starts_where_the_writer_is(ring, reader, monkeypatch):
    fence, calls = reader._segment.fence, []

    def run_on() -> None:
        calls.append(None)
        if len(calls) == 1:
            ring.append(rows(*range(9)), 9)
            ring.append(rows(*range(9, 18)), 18)
        fence()

    monkeypatch.setattr(reader._segment, "fence", run_on)
    assert reader.register() == ring.head == 18


@pytest.mark.parametrize("claimed", [False, True])
def test_rows_being_overwritten_are_left_out(ring, reader, monkeypatch, claimed):
    """A reader other than the lossless one copies while an append is half done."""
    ring.append(rows(*range(8)), 8)
    if claimed:
        reader.register()
    assert frames(reader.read(0)) == list(range(8))  # nothing is left out without need

    def killed(head: int, done: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ring, "_intend", killed)
    with pytest.raises(KeyboardInterrupt):
        ring.append(rows(*range(100, 106)), 9)
    assert frames(reader.read(0)) == list(range(4, 8))
    with TrackWriter.attach(SPEC) as successor:
        successor.append(rows(8), 9)
    # Rows 2 and 3 were overwritten by the killed one: not to be trusted though not yet lapped.
    assert frames(reader.read(0)) == [4, 5, 6, 7, 8]


def test_done_can_be_set_back_and_stays_so(ring, reader):
    ring.append(rows(0, 1), 2)
    ring.reset_done(0)
    assert reader.done == 0
    with TrackWriter.attach(SPEC) as successor:
        assert successor.done == 0


def test_killed_between_rows_and_done_nothing_comes_twice(ring, reader, monkeypatch):
    ring.append(rows(0), 1)
    lines = ring._lines

    class Guard:
        def __getitem__(self, key):
            return lines[key]

        def __setitem__(self, key, value):
            if key == (1, 0):
                raise KeyboardInterrupt
            lines[key] = value

    monkeypatch.setattr(ring, "_lines", Guard())
    with pytest.raises(KeyboardInterrupt):
        ring.append(rows(1, 1), 2)
    assert (reader.head, reader.done) == (3, 1)
    with TrackWriter.attach(SPEC) as successor:
        assert successor.done == 2
        successor.append(rows(2), 3)
    assert frames(reader.read(0)) == [0, 1, 1, 2]
    monkeypatch.undo()


def test_a_reader_without_claim_cannot_write(ring):
    with TrackReader.attach(SPEC) as reader, pytest.raises(ValueError, match="read-only"):
        reader.register()
    with pytest.raises(RingError, match="bytes where"):
        TrackReader.attach(TrackRingSpec(SPEC.name, 100))


def test_killed_writers_lose_no_row_and_double_none(child):
    """The recorder's view of a tracker that is killed over and over."""
    spec = TrackRingSpec("t-killed", 1000)
    batch, count = 7, 20_000
    got: list[tuple[int, int]] = []
    dice = random.Random(5)
    with TrackWriter.create(spec) as ring, TrackReader.attach(spec, writable=True) as reader:
        since = reader.register()
        kills = 0
        while reader.done < count:
            writer = child("write_rows", name=spec.name, rows=1000, batch=batch, count=count)
            writer.stdout.readline()
            deadline = time.monotonic() + dice.uniform(0.002, 0.05)
            while reader.done < count and (time.monotonic() < deadline or kills == 10):
                block, since = reader.read(since)
                got += zip(block["seq"].tolist(), block["bead"].tolist(), strict=True)
                assert (block["profile"] == block["seq"][:, None]).all()
                reader.advance(since)
            if reader.done < count:
                os.kill(writer.pid, signal.SIGKILL)
                kills += 1
            writer.wait()
        block, since = reader.read(since)
        got += zip(block["seq"].tolist(), block["bead"].tolist(), strict=True)
        assert got == [(frame, bead) for frame in range(count) for bead in range(batch)]
        assert ring.head == batch * count
        assert kills >= 5
        Segment.unlink(spec.name)


def test_a_viewer_reads_only_whole_rows_from_a_writer_at_full_speed(child):
    spec = TrackRingSpec("t-speed", 64)
    with TrackWriter.create(spec), TrackReader.attach(spec) as reader:
        writer = child("write_rows", name=spec.name, rows=64, batch=13, count=10**9)
        writer.stdout.readline()
        since, seen = 0, 0
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            block, since = reader.read(since)
            assert (block["profile"] == block["seq"][:, None]).all()
            assert (np.diff(block["seq"]) >= 0).all()
            seen += len(block)
        assert seen > 100
        writer.kill()
        writer.wait()
        Segment.unlink(spec.name)
