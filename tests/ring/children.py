"""What the ring tests do in other processes; run as ``python children.py NAME JSON``."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from typing import Any

import numpy as np

from napari_beadscope.core.types import TRACK_ROW, FrameFormat, FrameStamp
from napari_beadscope.ring import (
    FrameReader,
    FrameRingSpec,
    FrameWriter,
    HistorySpec,
    HistoryTable,
    LatestTable,
    SegmentOwner,
    TableSpec,
    TrackRingSpec,
    TrackWriter,
)
from napari_beadscope.ring.segment import Segment

FIELDS = tuple((f"f{k}", "<i8") for k in range(12))


def say(*words: object) -> None:
    """Tell the test."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def frame_spec(name: str, height: int, width: int, dtype: str, slots: int) -> FrameRingSpec:
    """Return the spec that JSON can't carry."""
    return FrameRingSpec(name, FrameFormat(height, width, dtype), slots)


def write_frames(count: int, wait: bool, pause_s: float = 0.0, half_s: float = 0.0, **spec) -> None:
    """Write frames filled with their number until `count` of them are in the ring.

    `half_s` is how long each frame stays half written.
    """
    with FrameWriter.attach(frame_spec(**spec)) as ring:
        say("ready")
        kind = np.dtype(ring.spec.format.dtype).type
        seen = ring.seen
        number = 0 if seen is None else seen.frame + 1
        while ring.head < count:
            slot = ring.claim()
            if slot is None:
                if wait:
                    time.sleep(0.0002)
                    continue
                ring.drop(FrameStamp(number, number * 7))
            else:
                value = kind(number % np.iinfo(kind).max)
                if half_s:
                    slot[: len(slot) // 2] = value
                    time.sleep(half_s)
                slot[...] = value
                ring.commit(FrameStamp(number, number * 7))
            number += 1
            if pause_s:
                time.sleep(pause_s)
        ring.end()
        say("done", number)


def read_frames(index: int, resume: bool, pause_s: float = 0.0, **spec) -> None:
    """Read losslessly: check each frame, then say its number, then release it."""
    with FrameReader.attach(frame_spec(**spec), writable=True) as ring:
        seq = ring.cursor(index) if resume else ring.register(index)
        say("from", seq)
        while not (ring.ended and seq >= ring.head):
            found = ring.view(seq)
            if found is None:
                time.sleep(0.0002)
                continue
            image, stamp = found
            assert (image == stamp.frame % np.iinfo(image.dtype).max).all(), seq
            say(seq, stamp.frame)
            seq += 1
            ring.advance(index, seq)
            if pause_s:
                time.sleep(pause_s)


def write_rows(name: str, rows: int, batch: int, count: int) -> None:
    """Append batches of `batch` rows (batch k is frame k) from where `done` stands."""
    with TrackWriter.attach(TrackRingSpec(name, rows)) as ring:
        say("ready", ring.done)
        while ring.done < count:
            block = np.zeros(batch, TRACK_ROW)
            block["seq"] = block["frame"] = ring.done
            block["bead"] = np.arange(batch)
            block["profile"] = ring.done
            if not ring.append(block, ring.done + 1):
                time.sleep(0.0002)
        say("done")


def write_table(name: str) -> None:
    """Write all fields of row 0 with the same number, for ever."""
    with LatestTable.attach(TableSpec(name, 2, FIELDS), writable=True) as table:
        number = int(table.read(0)["f0"])
        say("ready")
        while True:
            number += 1
            table.write(0, **{field: number for field, _ in FIELDS})


def write_history(name: str) -> None:
    """Add samples 1, 2, 3 … to row 0, time and value alike, for ever."""
    with HistoryTable.attach(HistorySpec(name, 2, 64), writable=True) as table:
        number = int(table.read(0)["time_ns"].max(initial=0))
        say("ready")
        while True:
            number += 1
            table.append(0, number, float(number))


def own(session: str, count: int = 1, fork: bool = False) -> None:
    """Own a session with `count` segments until the test says otherwise."""
    owner = SegmentOwner(session)
    for k in range(count):
        Segment.create(f"{session}-{k}", 4096)
    if fork:
        context = multiprocessing.get_context("fork")
        runs = context.Event()
        heir = context.Process(target=_live_on, args=(runs,))
        heir.start()
        runs.wait()  # only then it has let go of what it was born with
        say("heir", heir.pid)
    say("ready")
    if sys.stdin.readline().strip() == "close":
        owner.close()
        say("closed")


def _live_on(runs: Any) -> None:
    runs.set()
    time.sleep(30)


def come_and_go(session: str, rounds: int) -> None:
    """Own and close sessions as fast as possible; each must keep its segment while it lives."""
    for k in range(rounds):
        with SegmentOwner(f"{session}x{k}"):
            Segment.create(f"{session}x{k}-a", 4096).close()
            for _ in range(5):
                Segment.attach(f"{session}x{k}-a").close()
                time.sleep(0)
    say("done")


if __name__ == "__main__":
    globals()[sys.argv[1]](**json.loads(sys.argv[2]))
