"""The run of a batch: the one who decides, and who alone writes the journal.

Owns the loop over what workers and readers report. An output gets its name and its row here, in
this order; a unit that was lost with its worker goes back. Must not know plans, services or
screens.
"""

from __future__ import annotations

import logging
import queue
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_beadscope.batch.child import Ended, Helper, Inbox
from napari_beadscope.batch.chunk_memory import ChunkMemory
from napari_beadscope.batch.compute import remove_draft
from napari_beadscope.batch.crew import Crew, Post
from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.monitor import Monitor
from napari_beadscope.batch.order_book import OrderBook
from napari_beadscope.batch.orders import Beat, Compute, Computed, Failed, ReadIn, Ready, Report
from napari_beadscope.batch.scheduler import ChunkId, Limits, Scheduler
from napari_beadscope.batch.service import BatchError
from napari_beadscope.core.errors import RingError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.storage.manifest import sync_folder

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 3
_TICK_S = 0.25
_MARK_S = 0.5  # between two writings of who has what


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of the machine a run may take; its results do not depend on it.

    With the address of a Dask ``scheduler``, its cluster computes.
    """

    cpu_workers: int = 1
    gpu_workers: int = 0
    readers: int = 1
    unit_timeout_s: float = 600.0
    limits: Limits = field(default_factory=Limits)
    scheduler: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is busy with."""

    number: int
    draft: Path


class Coordinator(Closing):
    """Carries out units of work until all are over; use as a context manager.

    Parameters
    ----------
    book : OrderBook
        The units, and what workers and readers are told about them.
    done : collection of int
        Numbers of the units that are done already.
    journal : Journal
        Open for writing; every unit is in it.
    effort : Effort
        Workers, readers and limits.
    monitor : Monitor
        Is told what happens.
    """

    def __init__(
        self,
        book: OrderBook,
        done: Collection[int],
        journal: Journal,
        effort: Effort,
        monitor: Monitor,
    ) -> None:
        self._book, self._journal, self._effort, self._monitor = book, journal, effort, monitor
        units = book.units
        self.scheduler = Scheduler(
            units, done, book.sizes, effort.limits, effort.readers, effort.gpu_workers > 0
        )
        self._inbox: Inbox = queue.SimpleQueue()
        self._token = uuid.uuid4().hex[:8]
        self._attempts: dict[int, int] = {}
        self._read_attempts: dict[ChunkId, int] = {}
        self._marks: dict[int, str] = {}
        self._marked_s = 0.0
        self._is_draining = self._is_stopped = self._is_short = False
        left = [number for number in range(len(units)) if number not in set(done)]
        kinds = ["cpu"] * min(effort.cpu_workers, max(1, len(left)))
        kinds += ["gpu"] * effort.gpu_workers
        names = {f"worker {at + 1}": kind for at, kind in enumerate(kinds)}
        self.workers: Crew[_Task]
        if effort.scheduler:
            from napari_beadscope.batch.cluster import ClusterCrew

            self.workers = ClusterCrew(effort.scheduler, self._inbox)
        else:
            self.workers = Crew("napari_beadscope.batch.worker", names, self._inbox)
        sources = {book.sizes[units[n].position].source for n in left if units[n].channels}
        readers = {f"reader {at + 1}": "" for at in range(min(effort.readers, len(sources)))}
        self.readers: Crew[ChunkId] = Crew("napari_beadscope.batch.reader", readers, self._inbox)
        self.memory = ChunkMemory()

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is begun."""
        return self._is_draining

    def told(self, task: object) -> str:
        """Return in words what a worker or reader is busy with."""
        if isinstance(task, _Task):
            position, step, first, last = self._book.units[task.number].id
            return f"{step} {position} {first}-{last - 1}"
        if isinstance(task, tuple):
            at, channel, first, last = task
            return f"{self._book.name(at)} channel {channel} {first}-{last - 1}"
        return ""

    # what others may ask, also from a signal handler

    def drain(self) -> None:
        """Begin nothing new; end when what is being computed is done."""
        self._is_draining = True
        self._inbox.put((None, "drain"))

    def stop(self) -> None:
        """End at once; what is being computed is lost, what is done is safe."""
        self._is_draining = self._is_stopped = True
        self._inbox.put((None, "stop"))

    def run(self) -> bool:
        """Work until everything is over; return whether it is, or whether it was cut short.

        Raises
        ------
        BatchError
            It cannot go on: the disk is full, or workers cannot be started.
        """
        while not self._is_stopped and not self.scheduler.is_over:
            if self._is_draining and not self.workers.busy:
                break
            if not self._is_draining:
                self.workers.start()
                self.readers.start()
                self._dispatch()
                self._check_alive()
            self._take_in(self._events())
            for crew in (self.workers, self.readers):
                crew.watch(self._effort.unit_timeout_s)
            self._monitor.tick(self)
        return self.scheduler.is_over

    def close(self) -> None:
        """End workers and readers and free their memory; twice is fine."""
        self.workers.close()
        self.readers.close()
        self.memory.close()
        self._book.remove_drafts(self._token)

    # giving

    def _dispatch(self) -> None:
        for post in self.workers.free():
            number = self.scheduler.next_unit(post.taste)
            if number is not None:
                self._give_unit(post, number)
        for reader in self.readers.free():
            chunk = None if self._is_short else self.scheduler.next_read(reader.had_source)
            if chunk is not None:
                self._give_chunk(reader, chunk)
        for post in self.workers.free():  # units that want no frames, or have them already
            number = self.scheduler.next_unit(post.taste)
            if number is not None:
                self._give_unit(post, number)

    def _give_unit(self, post: Post[_Task], number: int) -> None:
        attempt = self._attempts.get(number, 0) + 1
        draft = self._book.draft(number, f"{self._token}-{attempt}")
        names = {chunk: self.memory.name(chunk) for chunk in self.scheduler.chunks_of(number)}
        order: Compute = self._book.compute(number, draft, names)
        self._marks[number] = post.name
        post.give(_Task(number, draft), order)

    def _give_chunk(self, post: Post[ChunkId], chunk: ChunkId) -> None:
        try:
            name = self.memory.make(chunk, self._book.nbytes(chunk))
        except RingError as error:
            self.scheduler.read_again(chunk)
            if len(self.memory) == 0:
                raise BatchError(
                    error.what, "set workers.memory_mb or chunk_frames lower"
                ) from error
            self._is_short = True
            return
        post.had_source = self._book.sizes[chunk[0]].source
        post.give(chunk, self._book.read(chunk, name))

    def _check_alive(self) -> None:
        """Refuse to wait for nothing."""
        posts: list[Post] = [*self.workers.posts[:1], *self.readers.posts[:1]]
        if (
            not self.scheduler.is_over
            and not self.workers.busy
            and not self.readers.busy
            and all(post.is_free for post in posts)  # they have had their offers
            and not self.scheduler.backlog()
            and not self.scheduler.reads_open
        ):
            raise BatchError(
                f"{self.scheduler.left} units are left and none of them can begin",
                "this is a fault of the program; run it again with --verbose and report it",
            )

    # taking in

    def _events(self) -> list[tuple[Helper | None, Report | Ended | str]]:
        """Wait for something to happen; return all that has."""
        events = []
        try:
            events.append(self._inbox.get(timeout=_TICK_S))
            while True:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            return events

    def _take_in(self, events: Sequence[tuple[Helper | None, Report | Ended | str]]) -> None:
        done: list[tuple[Computed, _Task]] = []
        for child, report in events:
            if child is None:
                continue
            if (worker := self.workers.of(child)) is not None:
                self._from_worker(worker, child, report, done)
            elif (reader := self.readers.of(child)) is not None:
                self._from_reader(reader, child, report)
        if done and not self._is_draining:
            self._dispatch()  # nobody waits for the disk
        self._flush(done)
        for chunk in self.scheduler.take_freed():
            self.memory.free(chunk)
            self._is_short = False

    def _from_worker(
        self,
        post: Post[_Task],
        child: Helper,
        report: Report | Ended | str,
        done: list[tuple[Computed, _Task]],
    ) -> None:
        if _of_life(post, child, report):
            return
        if isinstance(report, Ended):
            task, why = self.workers.bury(post, report.why)
            if task is not None:
                self._lost(task, why)
            return
        task = post.take_back()
        assert task is not None
        post.units += 1
        if isinstance(report, Computed):
            done.append((report, task))
        elif isinstance(report, Failed):
            if report.disk_full:
                raise BatchError(
                    f"the disk of {self._book.folder} is full ({report.what})",
                    "free some space, then run it again; what is done is safe",
                )
            self._fail(task.number, report.what, report.remedy, report.trace)

    def _from_reader(
        self, post: Post[ChunkId], child: Helper, report: Report | Ended | str
    ) -> None:
        if _of_life(post, child, report):
            return
        if isinstance(report, Ended):
            chunk, why = self.readers.bury(post, report.why)
            post.had_source = None
            if chunk is None:
                return
            self._read_attempts[chunk] = self._read_attempts.get(chunk, 0) + 1
            if self._read_attempts[chunk] < _ATTEMPTS:
                self.scheduler.read_again(chunk)
                return
            what = f"frames {chunk[2]} to {chunk[3] - 1} cannot be read: the reader died: {why}"
            self._fail_chunk(chunk, what, "see whether the file is damaged", "")
            return
        chunk = post.take_back()
        assert chunk is not None
        if isinstance(report, ReadIn):
            self.scheduler.read_done(chunk)
        elif isinstance(report, Failed):
            self._fail_chunk(chunk, report.what, report.remedy, report.trace)

    def _lost(self, task: _Task, why: str) -> None:
        """Take in that a worker has died over a unit."""
        remove_draft(task.draft)
        attempts = self._attempts[task.number] = self._attempts.get(task.number, 0) + 1
        self._monitor.note_death(self._book.units[task.number].id, why)
        if attempts < _ATTEMPTS:
            with self._journal.writing():
                self._marks.pop(task.number, None)
                self._journal.set_pending(self._book.units[task.number].id, why)
            self.scheduler.returned(task.number)
            return
        what = f"the worker was lost {attempts} times over it: {why}"
        self._attempts[task.number] -= 1  # the one that counts as failed
        self._fail(task.number, what, "see whether it needs too much memory or time", "")

    def _fail_chunk(self, chunk: ChunkId, what: str, remedy: str, trace: str) -> None:
        for number in self.scheduler.read_failed(chunk):
            self._fail(number, what, remedy, trace)
        self.memory.free(chunk)

    def _fail(self, number: int, what: str, remedy: str, trace: str) -> None:
        unit = self._book.units[number]
        position, step, first, last = unit.id
        _LOG.warning("%s of %s, frames %d to %d: %s", step, position, first, last - 1, what)
        blocked = self.scheduler.failed(number)
        because = f"needs {step} of frames {first} to {last - 1}, which failed"
        self._marks.pop(number, None)
        with self._journal.writing():
            attempts = self._attempts.get(number, 0) + 1
            self._journal.set_running(unit.id, "", attempts)
            self._journal.set_failed(unit.id, what, remedy, trace)
            for other in blocked:
                self._journal.set_failed(self._book.units[other].id, because, state="blocked")
        self._monitor.failed(unit.id, what, [self._book.units[other].id for other in blocked])

    def _flush(self, done: Sequence[tuple[Computed, _Task]]) -> None:
        """Give outputs their names, then write their rows, then tell the others."""
        placed: list[tuple[Computed, _Task]] = []
        for report, task in done:
            try:
                self._book.place(task.number, task.draft)
            except OSError as error:
                self._fail(
                    task.number,
                    f"the output cannot take its place ({error.strerror or error})",
                    "check the folder and its permissions",
                    "",
                )
            else:
                placed.append((report, task))
        for folder in {self._book.output(task.number).parent for _, task in placed}:
            sync_folder(folder)
        now = time.monotonic()
        if placed or (self._marks and now - self._marked_s > _MARK_S):
            self._marked_s = now
            with self._journal.writing():
                self._write_marks()
                for report, task in placed:
                    self._journal.set_done(
                        self._book.units[task.number].id,
                        seconds=report.seconds,
                        cpu_seconds=report.cpu_seconds,
                        size=report.size,
                        sha256=report.sha256,
                        facts=dict(report.facts),
                    )
        for report, task in placed:
            self.scheduler.finished(task.number)
            self._monitor.finished(self._book.units[task.number].id, report.seconds)

    def _write_marks(self) -> None:
        for number, worker in self._marks.items():
            attempts = self._attempts.get(number, 0) + 1
            self._journal.set_running(self._book.units[number].id, worker, attempts)
        self._marks.clear()


def _of_life(post: Post, child: Helper, report: Report | Ended | str) -> bool:
    """Take in signs of life; return whether it was one."""
    child.beat_s = time.monotonic()
    if isinstance(report, Ready):
        post.ready = True
        return True
    if isinstance(report, Beat):
        child.rss_bytes = report.rss_bytes
        return True
    return False
