"""The frame ring against a model in which nothing is shared: a list of frames and some cursors."""

from __future__ import annotations

import secrets

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from napari_beadscope.core.types import TRACK_ROW, FrameFormat, FrameStamp
from napari_beadscope.ring import (
    FrameReader,
    FrameRingSpec,
    FrameWriter,
    SegmentOwner,
    TrackReader,
    TrackRingSpec,
    TrackWriter,
)

READERS = st.sampled_from([0, 1, 31])


class FrameRingMachine(RuleBasedStateMachine):
    @initialize(
        slots=st.integers(1, 6),
        height=st.integers(1, 9),
        dtype=st.sampled_from(["uint8", "uint16"]),
    )
    def create(self, slots, height, dtype) -> None:
        session = secrets.token_hex(6)
        self.owner = SegmentOwner(session)
        self.spec = FrameRingSpec(f"{session}-frames", FrameFormat(height, 7, dtype), slots)
        self.writer = FrameWriter.create(self.spec)
        self.viewer = FrameReader.attach(self.spec)
        self.reader = FrameReader.attach(self.spec, writable=True)
        self.frames: list[FrameStamp] = []  # by seq
        self.cursors: dict[int, int] = {}
        self.camera = 0
        self.dropped = 0
        self.claimed = False
        self.seen: FrameStamp | None = None

    def content(self, stamp: FrameStamp) -> np.ndarray:
        format = self.spec.format
        pixels = np.arange(format.height_px * 7) + 13 * stamp.frame
        return (pixels % 251).astype(format.dtype).reshape(format.shape)

    def room(self) -> int:
        head = len(self.frames)
        return self.spec.slots - (head - min(self.cursors.values(), default=head))

    def next_stamp(self, skip: int) -> FrameStamp:
        self.camera += skip
        return FrameStamp(self.camera, self.camera * 10)

    @rule(skip=st.sampled_from([1, 1, 1, 4]))
    def write(self, skip) -> None:
        stamp = self.next_stamp(skip)
        slot = self.writer.claim()
        assert (slot is not None) == (self.room() > 0)
        self.seen = stamp
        if slot is None:
            self.writer.drop(stamp)
            self.dropped += 1
            return
        slot[...] = self.content(stamp)
        assert self.writer.commit(stamp) == len(self.frames)
        self.frames.append(stamp)
        self.claimed = False

    @precondition(lambda self: self.room() > 0)
    @rule()
    def claim_and_be_killed(self) -> None:
        """Half a frame is written; the successor attaches."""
        slot = self.writer.claim()
        slot[: 1 + len(slot) // 2] = 255
        self.claimed = True
        self.writer.close()
        self.writer = FrameWriter.attach(self.spec)

    @rule(index=READERS)
    def register(self, index) -> None:
        assert self.reader.register(index) == len(self.frames)
        self.cursors[index] = len(self.frames)

    @rule(index=READERS)
    def unregister(self, index) -> None:
        self.reader.unregister(index)
        self.cursors.pop(index, None)

    @rule(index=READERS, data=st.data())
    def advance(self, index, data) -> None:
        if index in self.cursors:
            seq = data.draw(st.integers(self.cursors[index], len(self.frames)))
            self.reader.advance(index, seq)
            self.cursors[index] = seq

    @rule()
    def a_reader_is_killed_and_replaced(self) -> None:
        self.reader.close()
        self.reader = FrameReader.attach(self.spec, writable=True)

    @invariant()
    def what_a_claim_covers_is_there_and_whole(self) -> None:
        for index, cursor in self.cursors.items():
            assert self.reader.is_registered(index)
            assert self.reader.cursor(index) == cursor
            for seq in range(cursor, len(self.frames)):
                image, stamp = self.reader.view(seq)
                assert stamp == self.frames[seq]
                np.testing.assert_array_equal(image, self.content(stamp))

    @invariant()
    def whatever_is_shown_is_right(self) -> None:
        head = len(self.frames)
        for seq in range(-2, head + 3):
            found = self.viewer.view(seq)
            # The oldest slot may be the one being written.
            kept = head - self.spec.slots + self.claimed <= seq < head and seq >= 0
            assert (found is not None) == kept
            if found is not None:
                assert found[1] == self.frames[seq]
                np.testing.assert_array_equal(found[0], self.content(found[1]))
        out = np.empty(self.spec.format.shape, self.spec.format.dtype)
        newest = self.viewer.copy_latest(out)
        if head and not (self.claimed and self.spec.slots == 1):
            assert newest == (head - 1, self.frames[-1])
            np.testing.assert_array_equal(out, self.content(self.frames[-1]))
        else:
            assert newest is None

    @invariant()
    def counts_are_right(self) -> None:
        for ring in (self.writer, self.viewer, self.reader):
            assert ring.head == len(self.frames)
            assert ring.dropped == self.dropped
            assert ring.active_readers() == self.cursors
            assert ring.seen == self.seen
        assert self.writer.room() == self.room()

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            for ring in (self.writer, self.viewer, self.reader):
                ring.close()
            self.owner.close()


class TrackRingMachine(RuleBasedStateMachine):
    @initialize(rows=st.integers(1, 12))
    def create(self, rows) -> None:
        session = secrets.token_hex(6)
        self.owner = SegmentOwner(session)
        self.spec = TrackRingSpec(f"{session}-tracks0", rows)
        self.writer = TrackWriter.create(self.spec)
        self.viewer = TrackReader.attach(self.spec)
        self.recorder = TrackReader.attach(self.spec, writable=True)
        self.count = 0
        self.done = 0
        self.cursor: int | None = None

    @rule(data=st.data(), ahead=st.integers(0, 3))
    def append(self, data, ahead) -> None:
        count = data.draw(st.integers(0, self.spec.rows))
        rows = np.zeros(count, TRACK_ROW)
        rows["seq"] = rows["bead"] = np.arange(self.count, self.count + count)
        rows["profile"][:, -1] = rows["seq"]
        fits = self.cursor is None or self.count + count - self.cursor <= self.spec.rows
        assert self.writer.append(rows, self.done + ahead) == fits
        if fits:
            self.count += count
            self.done += ahead

    @rule()
    def restart(self) -> None:
        self.writer.reset_done(0)
        self.done = 0

    @rule()
    def successor(self) -> None:
        self.writer.close()
        self.writer = TrackWriter.attach(self.spec)

    @rule()
    def register(self) -> None:
        assert self.recorder.register() == self.count
        self.cursor = self.count

    @rule()
    def release(self) -> None:
        self.recorder.release_reader()
        self.cursor = None

    @rule(data=st.data())
    def advance(self, data) -> None:
        if self.cursor is not None:
            self.cursor = data.draw(st.integers(self.cursor, self.count))
            self.recorder.advance(self.cursor)

    @rule(data=st.data())
    def read(self, data) -> None:
        since = data.draw(st.integers(0, self.count + 2))
        limit = data.draw(st.none() | st.integers(0, 5))
        rows, following = self.viewer.read(since, limit)
        first = min(max(since, self.count - self.spec.rows), self.count)
        last = self.count if limit is None else min(self.count, max(first, since) + limit)
        assert rows["seq"].tolist() == list(range(first, last))
        assert (rows["profile"][:, -1] == rows["seq"]).all()
        assert following == last

    @invariant()
    def what_the_recorder_needs_is_there(self) -> None:
        assert self.recorder.is_claimed == (self.cursor is not None)
        if self.cursor is not None:
            rows, following = self.recorder.read(self.recorder.cursor)
            assert rows["seq"].tolist() == list(range(self.cursor, self.count))
            assert following == self.count

    @invariant()
    def counts_are_right(self) -> None:
        for ring in (self.writer, self.viewer, self.recorder):
            assert (ring.head, ring.done) == (self.count, self.done)

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            for ring in (self.writer, self.viewer, self.recorder):
                ring.close()
            self.owner.close()


FrameRingMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
TrackRingMachine.TestCase.settings = FrameRingMachine.TestCase.settings
TestFrameRing = FrameRingMachine.TestCase
TestTrackRing = TrackRingMachine.TestCase
