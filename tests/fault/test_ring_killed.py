"""The camera process is killed at random instants, many times; its ring goes on."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_beadscope.core.types import FrameFormat
from napari_beadscope.ring import FrameReader, FrameRingSpec, FrameWriter, SegmentOwner, sweep
from napari_beadscope.ring.segment import segment_names

CHILDREN = Path(__file__).parents[1] / "ring" / "children.py"
SPEC = {"height": 96, "width": 128, "dtype": "uint16", "slots": 6}


def run(name: str, /, **arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(CHILDREN), name, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("wait", [True, False], ids=["block", "drop"])
def test_writers_killed_at_random_instants(wait):
    """Every frame that was published is whole and in order, for lossless and latest readers."""
    dice = random.Random(11)
    session = secrets.token_hex(6)
    spec = FrameRingSpec(f"{session}-frames", FrameFormat(96, 128, "uint16"), SPEC["slots"])
    with (
        SegmentOwner(session),
        FrameWriter.create(spec) as ring,
        FrameReader.attach(spec, writable=True) as reader,
    ):
        seq, newest, kills = reader.register(0), -1, 0
        torn_slots = 0
        while kills < 20:
            process = run(
                "write_frames", name=spec.name, count=10**9, wait=wait, half_s=0.0002, **SPEC
            )
            assert process.stdout.readline() == "ready\n"
            deadline = time.monotonic() + dice.uniform(0.0, 0.02)
            while time.monotonic() < deadline:
                seq, newest = look(reader, seq, newest)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            head = ring.head
            torn_slots += int(ring._slots[head % spec.slots, 0]) == 2 * head + 1
            while seq < head:
                seq, newest = look(reader, seq, newest)
            assert reader.view(head) is None
        assert seq == ring.head > 20
        # The dead were caught in the middle of a frame more than once, or this proves little.
        assert torn_slots > 2


def look(reader: FrameReader, seq: int, newest: int) -> tuple[int, int]:
    """Check the next frame, if there is one, as the recorder would; return what follows."""
    found = reader.view(seq)
    if found is None:
        return seq, newest
    image, stamp = found
    assert (image == stamp.frame % 65535).all()
    assert stamp.time_ns == stamp.frame * 7
    assert stamp.frame > newest
    reader.advance(0, seq + 1)
    return seq + 1, stamp.frame


def test_owners_killed_at_random_instants_leave_nothing_to_the_next():
    """Whenever the owner dies, also while it makes its mark, the next start-up cleans up."""
    dice = random.Random(3)
    living = run("own", session="living")
    assert living.stdout.readline() == "ready\n"
    for k in range(12):
        process = run("come_and_go", session=f"dead{k}", rounds=10**6)
        deadline = time.monotonic() + 10
        while not segment_names() or not any("dead" in name for name in segment_names()):
            assert time.monotonic() < deadline
        time.sleep(dice.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        sweep()
        assert segment_names() == ["living-0", "living-owner"]
    living.kill()
    living.communicate()
    assert sweep() == ["living"]
    assert segment_names() == []
