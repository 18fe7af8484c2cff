"""What a run does next, without processes: every unit ends, limits hold, memory is freed."""

from __future__ import annotations

import itertools
import operator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_beadscope.batch.planning import PlannedPosition, PlannedStep
from napari_beadscope.batch.scheduler import Limits, Scheduler, Size, Taste
from napari_beadscope.batch.service import Service, ServiceSettings
from napari_beadscope.batch.source import PositionInfo
from napari_beadscope.batch.units import Unit, make_units


def service(name: str, category: str, channels: tuple[int, ...] = (), **more) -> Service:
    body = {
        "name": name,
        "category": category,
        "channels": lambda self, plan_channels, settings: channels,
        "process": lambda self, work, settings: {},
        **more,
    }
    return type(name, (Service,), body)()


def steps() -> tuple[PlannedStep, ...]:
    services = (
        service("find", "BEAD_FIND", (0,)),
        service("correct", "CORRECT", (0, 1)),
        service("link", "BEAD_LINK", needs=("find",), ordered=True),
        service("look", "Z_LOOKUP", (0,), needs=("link",)),
        service("write", "FINAL_WRITE", needs=("look", "correct"), whole=True),
    )
    return tuple(PlannedStep(one.name, one, ServiceSettings(), one.name) for one in services)


def units_of(positions: int, frames: int, chunk: int) -> tuple[Unit, ...]:
    planned = [
        PlannedPosition(
            at,
            PositionInfo(
                f"p{at}", Path(f"/{at}"), 0, frames, ("a", "b"), 10, 10, "uint8", None, None, "tiff"
            ),
            {"phase": (0,), "fluorescence": (1,)},
            0,
            frames,
            chunk,
        )
        for at in range(positions)
    ]
    return make_units(planned, steps(), {one.info.path: "same" for one in planned})


class Machine:
    """Workers and readers that do as they are told, in an order that a test chooses."""

    def __init__(self, units, done=(), limits=None, readers=2, gpu=False, sources=None) -> None:
        self.units = units
        positions = 1 + max(unit.position for unit in units)
        self.sizes = [Size(at % (sources or positions), 100) for at in range(positions)]
        self.limits = limits or Limits()
        self.scheduler = Scheduler(units, done, self.sizes, self.limits, readers, gpu)
        self.tastes = [Taste("cpu"), Taste("cpu"), *([Taste("gpu")] if gpu else [])]
        self.running: dict[int, int] = {}
        self.reading: dict[int, tuple] = dict.fromkeys(range(readers))
        self.memory: set[tuple] = set()
        self.computed: list[int] = []
        self.by: dict[int, list[int]] = {0: [], 1: [], 2: []}
        self.failed: set[int] = set()
        self.done = set(done)
        self.most_ahead = 0

    def begin(self) -> None:
        for reader, chunk in self.reading.items():
            if chunk is None and (chunk := self.scheduler.next_read()) is not None:
                assert chunk not in self.memory
                sources = [self.sizes[one[0]].source for one in self.reading.values() if one]
                assert self.sizes[chunk[0]].source not in sources
                self.reading[reader] = chunk
                self.memory.add(chunk)
        for at, taste in enumerate(self.tastes):
            if at not in self.running and (n := self.scheduler.next_unit(taste)) is not None:
                self.running[at] = n
                assert n not in self.done | self.failed
                need = {unit.id for unit in map(self.units.__getitem__, self.done)}
                assert set(self.units[n].needs) <= need
                loading = set(filter(None, self.reading.values()))
                assert set(self.scheduler.chunks_of(n)) <= self.memory - loading
        self.most_ahead = max(self.most_ahead, self.scheduler.frames_ahead)
        self.free()

    def free(self) -> None:
        for chunk in self.scheduler.take_freed():
            self.memory.remove(chunk)

    def end_unit(self, at: int, how: str) -> None:
        number = self.running.pop(at)
        if how == "lost":
            self.scheduler.returned(number)
        elif how == "failed":
            self.failed |= {number, *self.scheduler.failed(number)}
        else:
            self.computed.append(number)
            self.by[at].append(number)
            self.done.add(number)
            self.scheduler.finished(number)

    def end_read(self, reader: int, how: str) -> None:
        chunk, self.reading[reader] = self.reading[reader], None
        if how == "lost":
            self.scheduler.read_again(chunk)
            self.memory.discard(chunk)
        elif how == "failed":
            for number in self.scheduler.read_failed(chunk):
                self.failed |= {number, *self.scheduler.failed(number)}
        else:
            self.scheduler.read_done(chunk)

    def run(self, choose=lambda options: options[0], how=lambda: "done") -> None:
        for _ in range(50 * len(self.units) + 100):
            self.begin()
            events = [(self.end_unit, at) for at in self.running]
            events += [(self.end_read, at) for at, chunk in self.reading.items() if chunk]
            if not events:
                break
            act, who = choose(events)
            act(who, how())
            self.free()
        assert self.scheduler.is_over
        assert self.memory == set()
        assert (self.scheduler.frames_ahead, self.scheduler.bytes_ahead) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_every_unit_ends_and_all_memory_is_freed(data: st.DataObject) -> None:
    units = units_of(data.draw(st.integers(1, 4)), data.draw(st.integers(1, 20)), 4)
    done = {n for n in range(len(units)) if data.draw(st.booleans())}
    limits = Limits(
        soft_frames=data.draw(st.integers(1, 20)),
        hard_frames=data.draw(st.integers(1, 40)),
        hard_bytes=data.draw(st.integers(1, 4000)),
        max_backlog={kind: data.draw(st.integers(1, 4)) for kind in ("cpu", "gpu")},
    )
    readers, gpu = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    sources = data.draw(st.integers(1, 3))
    machine = Machine(units, done, limits, readers, gpu, sources)
    trouble = data.draw(st.lists(st.sampled_from(["lost", "failed"]), max_size=6))
    outcomes = [*trouble, *["done"] * 500]
    machine.run(
        lambda events: events[data.draw(st.integers(0, len(events) - 1))],
        lambda: outcomes.pop(data.draw(st.integers(0, min(8, len(outcomes) - 1)))),
    )
    assert len(machine.computed) == len(set(machine.computed))
    assert set(machine.computed).isdisjoint(done)
    assert machine.done | machine.failed == set(range(len(units)))


def test_without_trouble_everything_is_done_within_the_limits() -> None:
    units = units_of(4, 40, 4)
    machine = Machine(units, limits=Limits(soft_frames=8, hard_frames=16, hard_bytes=10_000))
    machine.run()
    assert sorted(machine.computed) == list(range(len(units)))
    assert machine.most_ahead <= 16


@pytest.mark.parametrize("limit", [{"hard_frames": 1, "soft_frames": 1}, {"hard_bytes": 1}])
def test_a_unit_beyond_every_limit_still_runs_alone(limit: dict) -> None:
    units = units_of(3, 12, 4)
    machine = Machine(units, limits=Limits(**limit))
    machine.run()
    assert len(machine.computed) == len(units)
    assert machine.most_ahead == 8  # one unit with two channels


def test_a_worker_stays_with_its_category() -> None:
    units = units_of(8, 40, 4)
    machine = Machine(units, limits=Limits(max_backlog={"cpu": 30, "gpu": 30}), readers=3)
    reads_first = operator.itemgetter(-1)  # so that there is a choice
    machine.run(reads_first)
    for computed in machine.by.values():
        categories = [units[n].category for n in computed]
        changes = sum(one != other for one, other in itertools.pairwise(categories))
        assert changes <= len(computed) / 3, changes
    assert len(machine.computed) == len(units)


def test_work_for_the_gpu_goes_to_its_workers_where_there_are_some() -> None:
    units = units_of(2, 8, 4)
    machine = Machine(units, gpu=True)
    machine.tastes = machine.tastes[:2]  # its worker never comes
    with pytest.raises(AssertionError):
        machine.run()
    kinds = {units[n].category for n in machine.computed}
    assert kinds == {"CORRECT"}
