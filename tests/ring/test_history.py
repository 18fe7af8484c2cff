from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from napari_beadscope.core.errors import RingError
from napari_beadscope.ring import HistorySpec, HistoryTable
from napari_beadscope.ring.segment import Segment

SPEC = HistorySpec("t-history", 3, 8)


@pytest.fixture
def table():
    with HistoryTable.create(SPEC) as table:
        yield table
    Segment.unlink(SPEC.name)


def test_a_cleared_row_begins_anew(table):
    for k in range(3 * SPEC.samples):
        table.append(1, k + 1, float(k))
    table.append(0, 5, 7.0)
    table.clear(1)
    assert len(table.read(1)) == 0
    table.append(1, 99, 1.5)
    assert table.read(1).tolist() == [(99, 1.5)]
    assert table.read(0).tolist() == [(5, 7.0)]


def test_samples_come_back_in_order_and_by_row(table):
    with HistoryTable.attach(SPEC) as other:
        assert len(other.read(1)) == 0
        for k in range(5):
            table.append(1, 1000 + k, k / 2)
        found = other.read(1)
        assert found["time_ns"].tolist() == [1000, 1001, 1002, 1003, 1004]
        assert found["value"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
        assert len(other.read(0)) == len(other.read(2)) == 0
        assert other.read(1, since_ns=1002)["time_ns"].tolist() == [1003, 1004]


def test_a_full_row_keeps_the_newest(table):
    for k in range(1, 50):
        table.append(0, k, float(k))
    found = table.read(0)
    # one place may be in the middle of being written, so it is not read
    assert found["time_ns"].tolist() == list(range(43, 50))
    assert found["value"].tolist() == list(range(43, 50))


def test_only_a_writer_can_write(table):
    with HistoryTable.attach(SPEC) as other, pytest.raises(ValueError, match="read-only"):
        other.append(0, 1, 1.0)
    with pytest.raises(RingError, match="no shared memory"):
        HistoryTable.attach(HistorySpec("t-none", 3, 8))
    with pytest.raises(RingError):
        HistoryTable.attach(HistorySpec(SPEC.name, 300, 8))


def test_a_killed_writers_half_sample_is_never_seen(child):
    """Killed at random instants, at full speed; each successor goes on."""
    spec = HistorySpec("t-fast", 2, 64)
    with HistoryTable.create(spec) as table:
        newest = 0
        for k in range(5):
            writer = child("write_history", name=spec.name)
            assert writer.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 0.03 + 0.007 * k
            while time.monotonic() < deadline:
                found = table.read(0)
                np.testing.assert_array_equal(found["time_ns"], found["value"])
                assert (np.diff(found["time_ns"]) == 1).all()
                newest = max(newest, int(found["time_ns"].max(initial=0)))
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            found = table.read(0)
            np.testing.assert_array_equal(found["time_ns"], found["value"])
        assert newest > 100
        assert len(table.read(1)) == 0
        Segment.unlink(spec.name)
