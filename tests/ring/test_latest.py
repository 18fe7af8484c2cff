from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from napari_beadscope.core.errors import RingError
from napari_beadscope.ring import LatestTable, TableSpec
from napari_beadscope.ring.segment import Segment

SPEC = TableSpec("t-table", 3, (("position", "<f8"), ("count", "<i8")))
WIDE = TableSpec("t-wide", 2, tuple((f"f{k}", "<i8") for k in range(12)))


@pytest.fixture
def table():
    with LatestTable.create(SPEC) as table:
        yield table
    Segment.unlink(SPEC.name)


def test_a_table_starts_at_zero_and_keeps_what_is_not_written(table):
    with LatestTable.attach(SPEC) as other:
        assert other.read(2) == {"position": 0.0, "count": 0}
        table.write(1, position=1.5, count=7)
        table.write(1, position=2.5)
        assert other.read(1) == {"position": 2.5, "count": 7}
        assert other.read(0) == other.read(2) == {"position": 0.0, "count": 0}
        assert type(other.read(1)["count"]) is int


def test_an_unknown_field_is_an_error_and_changes_nothing(table):
    table.write(0, count=3)
    with pytest.raises(ValueError, match="nope"):
        table.write(0, count=4, nope=1)
    assert table.read(0)["count"] == 3
    table.write(0, position=1.0)
    assert table.read(0) == {"position": 1.0, "count": 3}


def test_only_a_writer_can_write(table):
    with LatestTable.attach(SPEC) as other, pytest.raises(ValueError, match="read-only"):
        other.write(0, count=1)
    with pytest.raises(RingError):
        LatestTable.attach(TableSpec(SPEC.name, 300, SPEC.fields))
    with pytest.raises(RingError, match="no shared memory"):
        LatestTable.attach(TableSpec("t-none", 3, SPEC.fields))


def test_rows_do_not_share_cache_lines():
    assert WIDE.dtype.itemsize % 64 == 0
    assert SPEC.nbytes == 3 * (64 + 2 * 64)


def test_a_killed_writers_half_row_is_never_seen(child):
    """Killed at random instants, at full speed; each successor goes on."""
    with LatestTable.create(WIDE) as table:
        last = 0
        for k in range(6):
            writer = child("write_table", name=WIDE.name)
            assert writer.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 0.03 + 0.007 * k
            while time.monotonic() < deadline:
                values = set(table.read(0).values())
                assert len(values) == 1
                value = values.pop()
                assert value >= last
                last = value
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            assert len(set(table.read(0, tries=1).values())) == 1
        assert last > 100
        assert set(table.read(1).values()) == {0}
        Segment.unlink(WIDE.name)


def test_threads_of_the_owner_do_not_tear_a_row():
    with LatestTable.create(WIDE) as table:
        stop = threading.Event()

        def write(base: int) -> None:
            while not stop.is_set():
                table.write(0, **{name: base for name, _ in WIDE.fields})

        threads = [threading.Thread(target=write, args=(base,)) for base in (1, 2)]
        for thread in threads:
            thread.start()
        while 0 in table.read(0).values():
            time.sleep(0.001)
        for _ in range(2000):
            assert len(set(table.read(0).values())) == 1
        stop.set()
        for thread in threads:
            thread.join()
        Segment.unlink(WIDE.name)
