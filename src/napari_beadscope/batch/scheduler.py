"""What a run does next: which frames are read, which worker computes which unit.

A pure state machine over events; no clock, no process, no file, so that everything it decides can
be tested by itself. Owns the dependencies, the frames in memory with their users, the backlogs
and the limits. Must not know how anything is carried out.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from napari_beadscope.batch.service import GPU_CATEGORIES
from napari_beadscope.batch.units import Unit

#: A worker leaves its category for one with so many times the work, and after so many units.
_BUSIER = 2
_STAY_UNITS = 4
KINDS = ("cpu", "gpu")

#: Position's index, channel, frames ``[first, last)``.
ChunkId = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far readers may be ahead. Frames and bytes; units for the backlogs."""

    soft_frames: int = 1024
    hard_frames: int = 4096
    hard_bytes: int = 1 << 30
    max_backlog: dict[str, int] = field(default_factory=lambda: {"cpu": 64, "gpu": 64})


@dataclass(frozen=True, slots=True)
class Size:
    """What a position's frames take: `source` is the number of the source they are in."""

    source: int
    frame_bytes: int


@dataclass(slots=True)
class _Chunk:
    """Frames on their way through memory: who needs them, and whether they are there."""

    users: set[int] = field(default_factory=set)
    loaded: bool = False


@dataclass(slots=True)
class Taste:
    """Where a worker has been: it stays with its category unless another is much busier."""

    kind: str
    category: str = ""
    stayed: int = 0


class Scheduler:
    """Decides for a run.

    Parameters
    ----------
    units : sequence of Unit
        In the order in which they are wanted.
    done : collection of int
        Numbers of those that are done already.
    sizes : sequence of Size
        By position.
    limits : Limits
        How far readers may be ahead.
    readers : int
        Sources that are read at a time.
    gpu : bool
        Whether there are workers for the GPU; without, the others do that work as well.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        done: Collection[int],
        sizes: Sequence[Size],
        limits: Limits,
        readers: int,
        gpu: bool,
    ) -> None:
        self.units = units
        self._sizes, self._limits, self._readers, self._gpu = sizes, limits, readers, gpu
        number_of = {unit.id: number for number, unit in enumerate(units)}
        self._dependents: list[list[int]] = [[] for _ in units]
        self._missing = [0] * len(units)  # needed units, then chunks, that are not there
        self._over = set(done)
        self._waiting: list[dict[str, list[int]]] = []
        self._sources: list[int] = []
        self._admitted: set[int] = set()
        self._chunks: dict[ChunkId, _Chunk] = {}
        self._to_read: dict[int, list[ChunkId]] = {}
        self._reading: dict[ChunkId, int] = {}
        self._runnable: dict[str, list[int]] = {}
        self._freed: list[ChunkId] = []
        self.frames_ahead = 0
        self.bytes_ahead = 0
        self._waiting = [{kind: [] for kind in KINDS} for _ in range(self._source_count())]
        for number, unit in enumerate(units):
            if number in self._over:
                continue
            for need in unit.needs:
                if (other := number_of[need]) not in self._over:
                    self._dependents[other].append(number)
                    self._missing[number] += 1
        for number in range(len(units)):
            if number not in self._over and not self._missing[number]:
                self._needs_are_met(number)

    @property
    def is_over(self) -> bool:
        """Whether every unit is done, failed or blocked."""
        return len(self._over) == len(self.units)

    @property
    def left(self) -> int:
        """How many units are not over."""
        return len(self.units) - len(self._over)

    @property
    def reads_open(self) -> int:
        """How many chunks are being read, or are about to be."""
        return len(self._reading) + sum(map(len, self._to_read.values()))

    def backlog(self) -> Counter[str]:
        """How many units could be computed at once, by category."""
        return Counter({category: len(heap) for category, heap in self._runnable.items() if heap})

    def backlog_of(self, kind: str) -> int:
        """How many units could be computed at once by workers of a kind."""
        return sum(
            len(heap) for category, heap in self._runnable.items() if self._kind(category) == kind
        )

    # reading

    def next_read(self, had_source: int | None = None) -> ChunkId | None:
        """Return a chunk for a reader that is free, None if nothing is to be read now.

        A source is read by one reader at a time; `had_source`, which it has open, comes first.
        """
        self._admit()
        busy = {self._sizes[chunk[0]].source for chunk in self._reading}
        free = [source for source in self._to_read if source not in busy]
        if not free:
            return None
        source = had_source if had_source in free else free[0]
        assert source is not None
        chunk = self._to_read[source].pop(0)
        if not self._to_read[source]:
            del self._to_read[source]
        self._reading[chunk] = source
        return chunk

    def read_done(self, chunk: ChunkId) -> None:
        """Take in that a chunk is in memory."""
        self._reading.pop(chunk, None)
        found = self._chunks.get(chunk)
        if found is None:
            self._freed.append(chunk)
            return
        found.loaded = True
        for number in sorted(found.users):
            self._one_thing_less(number)

    def read_again(self, chunk: ChunkId) -> None:
        """Take in that a chunk was not read: its reader has died, or there was no memory."""
        source = self._reading.pop(chunk)
        if chunk in self._chunks:
            self._to_read.setdefault(source, []).insert(0, chunk)
        else:
            self._freed.append(chunk)

    def read_failed(self, chunk: ChunkId) -> tuple[int, ...]:
        """Take in that a chunk cannot be read; return the units that fail by that."""
        self._reading.pop(chunk, None)
        found = self._chunks.get(chunk)
        return () if found is None else tuple(sorted(found.users))

    # computing

    def next_unit(self, taste: Taste) -> int | None:
        """Return a unit for a worker that is free, None if there is nothing for its kind."""
        waiting = Counter(
            {name: n for name, n in self.backlog().items() if self._kind(name) == taste.kind}
        )
        if not waiting:
            return None
        busiest = min(waiting, key=lambda name: (-waiting[name], self._runnable[name][0]))
        mine = waiting.get(taste.category, 0)
        stays = mine and (taste.stayed < _STAY_UNITS or waiting[busiest] <= _BUSIER * mine)
        category = taste.category if stays else busiest
        taste.stayed = taste.stayed + 1 if category == taste.category else 1
        taste.category = category
        return heapq.heappop(self._runnable[category])

    def chunks_of(self, number: int) -> tuple[ChunkId, ...]:
        """Return the chunks that a unit wants in memory."""
        unit = self.units[number]
        _, _, first, last = unit.id
        return tuple((unit.position, channel, first, last) for channel in unit.channels)

    def returned(self, number: int) -> None:
        """Take in that a unit's worker has died; it can be computed by another at once."""
        self._push(number)

    def finished(self, number: int) -> None:
        """Take in that a unit is done."""
        self._end(number)
        for dependent in self._dependents[number]:
            if dependent not in self._over:
                self._one_thing_less(dependent)

    def failed(self, number: int) -> tuple[int, ...]:
        """Take in that a unit has failed; return the units that cannot be computed without it."""
        blocked: list[int] = []
        open_ends = [number]
        self._end(number)
        while open_ends:
            for dependent in self._dependents[open_ends.pop()]:
                if dependent not in self._over:
                    self._end(dependent)
                    blocked.append(dependent)
                    open_ends.append(dependent)
        return tuple(sorted(blocked))

    def take_freed(self) -> tuple[ChunkId, ...]:
        """Return the chunks that nobody needs any more, once each."""
        freed, self._freed = tuple(self._freed), []
        return freed

    # inside

    def _source_count(self) -> int:
        return 1 + max((size.source for size in self._sizes), default=-1)

    def _kind(self, category: str) -> str:
        return "gpu" if self._gpu and category in GPU_CATEGORIES else "cpu"

    def _one_thing_less(self, number: int) -> None:
        self._missing[number] -= 1
        if self._missing[number]:
            return
        if number in self._admitted:
            self._push(number)
        else:
            self._needs_are_met(number)

    def _needs_are_met(self, number: int) -> None:
        unit = self.units[number]
        if not unit.channels:
            self._push(number)
            return
        source = self._sizes[unit.position].source
        heapq.heappush(self._waiting[source][self._kind(unit.category)], number)

    def _push(self, number: int) -> None:
        if number not in self._over:
            heapq.heappush(self._runnable.setdefault(self.units[number].category, []), number)

    def _admit(self) -> None:
        """Let units in whose frames may be read now: one at a time for each source."""
        full = {kind for kind in KINDS if self.backlog_of(kind) >= self._limits.max_backlog[kind]}
        open_sources = 0
        for source, waiting in enumerate(self._waiting):
            kinds = [kind for kind in KINDS if waiting[kind]]
            if not kinds and source not in self._to_read:
                continue
            open_sources += 1
            if open_sources > self._readers:
                return
            while source not in self._to_read:
                able = [kind for kind in kinds if waiting[kind] and kind not in full]
                if not able:
                    break
                kind = min(able, key=lambda kind: waiting[kind][0])
                if waiting[kind][0] in self._over:
                    heapq.heappop(waiting[kind])
                elif not self._let_in(source, waiting[kind]):
                    return

    def _let_in(self, source: int, waiting: list[int]) -> bool:
        """Let the first unit in with all of its frames, or none of them."""
        number = waiting[0]
        new = [chunk for chunk in self.chunks_of(number) if chunk not in self._chunks]
        frames, size = self._extent(new)
        if new and self._admitted:  # a unit alone is let in whatever its size
            after = self.frames_ahead + frames
            if after > self._limits.hard_frames or (
                self.bytes_ahead + size > self._limits.hard_bytes
            ):
                return False
            if after > self._limits.soft_frames and self.reads_open:
                return False
        heapq.heappop(waiting)
        self._admitted.add(number)
        self.frames_ahead += frames
        self.bytes_ahead += size
        to_read = [chunk for chunk in new if chunk not in self._reading]
        if to_read:
            self._to_read.setdefault(source, []).extend(to_read)
        for chunk in new:
            self._chunks[chunk] = _Chunk()
        wanted = [self._chunks[chunk] for chunk in self.chunks_of(number)]
        for one in wanted:
            one.users.add(number)
        self._missing[number] = sum(not one.loaded for one in wanted)
        if not self._missing[number]:
            self._push(number)
        return True

    def _extent(self, chunks: Sequence[ChunkId]) -> tuple[int, int]:
        frames = sum(last - first for _, _, first, last in chunks)
        size = sum((last - first) * self._sizes[at].frame_bytes for at, _, first, last in chunks)
        return frames, size

    def _end(self, number: int) -> None:
        """Count a unit as over, and let go of its frames."""
        self._over.add(number)
        if number not in self._admitted:
            return
        self._admitted.discard(number)
        for chunk in self.chunks_of(number):
            found = self._chunks[chunk]
            found.users.discard(number)
            if not found.users:
                self._drop(chunk)

    def _drop(self, chunk: ChunkId) -> None:
        del self._chunks[chunk]
        frames, size = self._extent([chunk])
        self.frames_ahead -= frames
        self.bytes_ahead -= size
        source = self._sizes[chunk[0]].source
        if chunk in self._to_read.get(source, ()):
            self._to_read[source].remove(chunk)
            if not self._to_read[source]:
                del self._to_read[source]
        elif chunk not in self._reading:  # else it is freed once the reader is through with it
            self._freed.append(chunk)
