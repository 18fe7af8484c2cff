from __future__ import annotations

import dataclasses
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import RingError
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.ring import FrameReader, FrameRingSpec, FrameWriter
from napari_beadscope.ring.segment import Segment


@pytest.fixture
def spec():
    return FrameRingSpec("t-frames", FrameFormat(5, 7, "uint16"), 4)


@pytest.fixture
def ring(spec):
    with FrameWriter.create(spec) as writer:
        yield writer
    writer.unlink()


@pytest.fixture
def reader(spec, ring):
    with FrameReader.attach(spec, writable=True) as reader:
        yield reader


def put(ring: FrameWriter, number: int) -> int:
    slot = ring.claim()
    assert slot is not None
    slot[...] = number
    return ring.commit(FrameStamp(number, 1000 + number))


@pytest.mark.parametrize(
    ("height", "width", "dtype", "slots"),
    [(1, 1, "uint8", 1), (5, 7, "uint16", 3), (64, 64, "uint8", 2), (63, 65, "uint16", 5)],
)
def test_what_is_written_is_read_in_every_format(height, width, dtype, slots):
    spec = FrameRingSpec("t-formats", FrameFormat(height, width, dtype), slots)
    rng = np.random.default_rng(1)
    images = rng.integers(0, np.iinfo(dtype).max, (slots, height, width)).astype(dtype)
    with FrameWriter.create(spec) as ring, FrameReader.attach(spec) as reader:
        ring.prefault()
        for number, image in enumerate(images):
            slot = ring.claim()
            assert slot.shape == (height, width)
            assert slot.dtype == dtype
            slot[...] = image
            assert ring.commit(FrameStamp(number, number)) == number
        for number, image in enumerate(images):
            found, stamp = reader.view(number)
            np.testing.assert_array_equal(found, image)
            assert stamp == FrameStamp(number, number)
        ring.unlink()


def test_an_empty_ring_has_nothing_to_show(ring, reader):
    out = np.zeros((5, 7), np.uint16)
    assert (ring.head, ring.dropped, ring.ended, ring.seen) == (0, 0, False, None)
    assert reader.copy_latest(out) is None
    assert reader.view(0) is None
    assert reader.view(-1) is None
    assert reader.view(-4) is None


def test_without_lossless_readers_the_newest_frames_are_kept(ring, reader):
    for number in range(10):
        put(ring, number)
    out = np.zeros((5, 7), np.uint16)
    assert reader.copy_latest(out) == (9, FrameStamp(9, 1009))
    assert (out == 9).all()
    assert [reader.view(seq) is not None for seq in range(5, 11)] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


def test_a_lossless_reader_is_never_lapped(ring, reader):
    put(ring, 0)
    assert reader.register(3) == 1
    for number in range(1, 5):
        put(ring, number)
    assert ring.room() == 0
    assert ring.claim() is None
    ring.drop(FrameStamp(5, 1005))
    assert (ring.dropped, ring.seen) == (1, FrameStamp(5, 1005))
    reader.advance(3, 2)
    assert ring.room() == 1
    assert put(ring, 6) == 5
    assert [reader.view(seq)[1].frame for seq in range(2, 6)] == [2, 3, 4, 6]
    reader.unregister(3)
    assert not reader.is_registered(3)
    assert ring.room() == 4


def test_the_slowest_of_several_readers_counts(ring, reader):
    reader.register(0)
    reader.register(31)
    for number in range(3):
        put(ring, number)
    reader.advance(0, 3)
    assert ring.room() == 1
    assert ring.active_readers() == {0: 3, 31: 0}
    ring.release_reader(31)
    assert ring.room() == 4


def test_a_reader_that_registers_again_does_not_stop_the_ring(ring, reader):
    reader.register(0)
    reader.unregister(0)
    for number in range(20):
        put(ring, number)
    assert reader.register(0) == 20
    assert ring.room() == 4


def test_a_claim_seen_late_starts_where_the_writer_is(ring, reader, monkeypatch):
    """The writer runs on between the reader's look at the head and its claim."""
    fence, calls = reader._fence, []

    def run_on() -> None:
        calls.append(None)
        if len(calls) == 1:
            for number in range(11):
                put(ring, number)
        fence()

    monkeypatch.setattr(reader, "_fence", run_on)
    seq = reader.register(0)
    assert seq == ring.head == 11
    assert ring.room() == 4


def test_a_frame_that_was_not_published_is_not_shown(spec, ring, reader, monkeypatch):
    """Killed after the slot was stamped, before the head moved: the successor writes another."""
    put(ring, 0)

    def killed(stamp: FrameStamp) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ring, "_see", killed)
    with pytest.raises(KeyboardInterrupt):
        put(ring, 1)
    assert reader.view(1) is None
    with FrameWriter.attach(spec) as successor:
        assert put(successor, 8) == 1
    assert reader.view(1)[1].frame == 8


def test_a_torn_frame_is_not_shown(spec, ring, reader):
    for number in range(4):
        put(ring, number)
    view, _ = reader.view(0)
    slot = ring.claim()
    slot[:2] = 99
    assert reader.view(0) is None
    assert not reader.holds(0)
    assert (view[:2] == 99).all()  # which is why `holds` is asked
    with FrameWriter.attach(spec) as successor:
        put(successor, 4)
    assert reader.view(4)[0].tolist() == np.full((5, 7), 4).tolist()


def test_copy_latest_gives_nothing_when_the_writer_laps_the_copy(ring, reader, monkeypatch):
    for number in range(4):
        put(ring, number)
    holds = reader.holds

    def lapped(seq: int) -> bool:
        for number in range(4, 8):
            put(ring, number)
        return holds(seq)

    monkeypatch.setattr(reader, "holds", lapped)
    assert reader.copy_latest(np.zeros((5, 7), np.uint16)) is None


def test_the_end_can_be_taken_back(ring, reader):
    ring.end()
    assert reader.ended
    ring.end(False)
    assert not reader.ended


def test_a_reader_without_claims_cannot_write(spec, ring):
    put(ring, 1)
    with FrameReader.attach(spec) as reader:
        image, _ = reader.view(0)
        with pytest.raises(ValueError, match="read-only"):
            image[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            reader.register(0)
    del image


@pytest.mark.parametrize(
    "change",
    [{"slots": 3}, {"slots": 400}, {"format": FrameFormat(7, 5, "uint16")},
     {"format": FrameFormat(5, 7, "uint8")}, {"format": FrameFormat(500, 700, "uint8")}],
)  # fmt: skip
def test_another_rings_spec_is_refused(spec, ring, change):
    wrong = dataclasses.replace(spec, **change)
    for attach in (FrameReader.attach, FrameWriter.attach):
        with pytest.raises(RingError):
            attach(wrong)


def test_what_is_no_ring_is_refused(spec, segments: Path):
    with pytest.raises(RingError, match="no shared memory"):
        FrameReader.attach(spec)
    (segments / "beadscope-t-frames").touch()
    with pytest.raises(RingError, match="cannot map"):
        FrameReader.attach(spec)
    Segment.unlink(spec.name)
    Segment.create(spec.name, spec.nbytes).close()
    with pytest.raises(RingError, match="not the frame ring"):
        FrameReader.attach(spec)
    Segment.unlink(spec.name)


def test_a_ring_cannot_be_made_twice_nor_without_slots(spec, ring):
    with pytest.raises(RingError, match="File exists"):
        FrameWriter.create(spec)
    with pytest.raises(RingError, match="at least one"):
        FrameWriter.create(dataclasses.replace(spec, name="t-none", slots=0))


def test_closing_twice_is_fine_and_views_live_on(spec, ring):
    put(ring, 3)
    reader = FrameReader.attach(spec)
    image, _ = reader.view(0)
    reader.close()
    reader.close()
    assert (image == 3).all()
    with pytest.raises(RingError, match="closed"):
        reader._segment.array(np.uint8, 1)


def test_prefault_of_a_closed_ring_does_nothing(spec):
    big = FrameRingSpec("t-big", FrameFormat(1024, 1024, "uint8"), 64)
    ring = FrameWriter.create(big)
    ring.prefault()
    ring.close()
    ring.prefault()
    ring.unlink()


def spec_json(spec: FrameRingSpec) -> dict:
    size = spec.format
    return {
        "name": spec.name,
        "height": size.height_px,
        "width": size.width_px,
        "dtype": size.dtype,
        "slots": spec.slots,
    }


def test_the_viewer_copies_only_whole_frames_from_a_writer_at_full_speed(child):
    """Three slots and a frame that takes longer to read than to write: laps are sure."""
    spec = FrameRingSpec("t-speed", FrameFormat(512, 512, "uint16"), 3)
    out = np.zeros((512, 512), np.uint16)
    with FrameWriter.create(spec) as ring, FrameReader.attach(spec) as reader:
        writer = child("write_frames", count=20_000, wait=False, **spec_json(spec))
        assert writer.stdout.readline() == "ready\n"
        copied, laps, newest = 0, 0, -1
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and writer.poll() is None:
            found = reader.copy_latest(out)
            if found is None:
                laps += 1
                continue
            seq, stamp = found
            assert seq >= newest
            assert stamp == FrameStamp(seq, seq * 7)
            assert (out == seq % 65535).all()
            copied, newest = copied + 1, seq
        writer.kill()
        writer.wait()
        ring.unlink()
    assert copied > 100
    assert newest > 100


def test_a_lossless_reader_gets_every_frame_in_order_from_a_writer_that_waits(child):
    spec = FrameRingSpec("t-lossless", FrameFormat(64, 64, "uint8"), 5)
    with FrameWriter.create(spec) as ring, FrameReader.attach(spec, writable=True) as reader:
        seq = reader.register(0)
        writer = child("write_frames", count=3000, wait=True, **spec_json(spec))
        rng = np.random.default_rng(0)
        while seq < 3000:
            found = reader.view(seq)
            if found is None:
                time.sleep(0.0001)
                continue
            assert found[1].frame == seq
            assert (found[0] == seq % 255).all()
            seq += 1
            if rng.random() < 0.5 or reader.cursor(0) + spec.slots == seq:  # hold several at times
                reader.advance(0, seq)
        assert writer.wait(5) == 0
        assert ring.dropped == 0
        ring.unlink()


def test_every_frame_is_written_or_counted_as_dropped(child):
    spec = FrameRingSpec("t-drop", FrameFormat(16, 16, "uint8"), 4)
    with FrameWriter.create(spec) as ring, FrameReader.attach(spec, writable=True) as reader:
        seq = reader.register(0)
        writer = child("write_frames", count=2000, wait=False, **spec_json(spec))
        frames = []
        while seq < 2000:
            found = reader.view(seq)
            if found is None:
                continue
            time.sleep(0.0002)
            assert (found[0] == found[1].frame % 255).all()
            frames.append(found[1].frame)
            seq += 1
            reader.advance(0, seq)
        assert writer.wait(5) == 0
        sent = int(writer.stdout.read().split()[-1])
        assert frames == sorted(set(frames))
        assert len(frames) + ring.dropped == sent
        assert ring.dropped > 0
        ring.unlink()


def test_the_successor_of_a_killed_lossless_reader_takes_over_at_its_cursor(child):
    spec = FrameRingSpec("t-taken", FrameFormat(32, 32, "uint8"), 8)
    with FrameWriter.create(spec) as ring:
        writer = child("write_frames", count=1500, wait=True, pause_s=0.0003, **spec_json(spec))
        first = child("read_frames", index=2, resume=False, **spec_json(spec))
        start = int(first.stdout.readline().split()[1])
        said = []
        for _ in range(3):
            said.append(tuple(map(int, first.stdout.readline().split())))
            time.sleep(0.05)
            os.kill(first.pid, signal.SIGKILL)
            said += [tuple(map(int, line.split())) for line in first.stdout]
            assert 2 in ring.active_readers()  # the claim stands
            first = child("read_frames", index=2, resume=True, **spec_json(spec))
            resumed = int(first.stdout.readline().split()[1])
            # What was said but not yet released comes once more: at most one frame.
            assert said[-1][0] in (resumed - 1, resumed)
            said = [pair for pair in said if pair[0] < resumed]
        said += [tuple(map(int, line.split())) for line in first.stdout]
        assert [seq for seq, _ in said] == list(range(start, 1500))
        assert [frame for _, frame in said] == list(range(start, 1500))
        assert writer.wait(5) == 0
        ring.unlink()
