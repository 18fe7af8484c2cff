"""A batch from its plan to its results: what is done is kept, the rest is computed.

Owns the order of things: the folder is taken, the journal brought in line with the plan, the
units carried out, the results written. Must not know screens or signals.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import psutil
import yaml

from napari_beadscope.batch.chunk_memory import room
from napari_beadscope.batch.coordinator import Coordinator, Effort
from napari_beadscope.batch.journal import NAME as JOURNAL_NAME
from napari_beadscope.batch.journal import Entry, Journal
from napari_beadscope.batch.monitor import LIVE_NOTE, Monitor, Snapshot
from napari_beadscope.batch.order_book import OrderBook
from napari_beadscope.batch.outcome import note_positions, read_outcome
from napari_beadscope.batch.plan import Workers
from napari_beadscope.batch.planning import Batch
from napari_beadscope.batch.results import Results, write_results
from napari_beadscope.batch.resume import Earlier, take_back, take_up
from napari_beadscope.batch.run_lock import RunLock
from napari_beadscope.batch.scheduler import Limits
from napari_beadscope.batch.service import GPU_CATEGORIES, BatchError
from napari_beadscope.batch.services import code_identity
from napari_beadscope.batch.source import open_source
from napari_beadscope.batch.units import Unit, make_units
from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.storage.manifest import write_atomic

_LOG = logging.getLogger(__name__)
PLAN_NAME = "plan.yaml"
LOG_NAME = "run.log"
_PLAN_HEAD = "# The plan as it was run, every value spelled out; each run writes it anew.\n"
_MB = 1_000_000
_SHARE_OF_MEMORY = 4

Show = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run came to.

    Attributes
    ----------
    folder : Path
        The batch's folder.
    state : str
        complete, failed (some units have) or interrupted.
    units, done, kept, failed, blocked : int
        All units; those that are done, of which so many were before; those that have failed, and
        those that need one of these.
    changed : int
        Results that were replaced because settings, code or sources have changed.
    lost : tuple of str
        Outputs that were done, were gone or damaged, and were computed again.
    snapshot : Snapshot
        How far each step is.
    """

    folder: Path
    state: str
    units: int
    done: int
    kept: int
    failed: int
    blocked: int
    changed: int
    lost: tuple[str, ...]
    snapshot: Snapshot


class Stopping:
    """Ends a run from outside, from another thread or a signal handler."""

    def __init__(self) -> None:
        self._run: Coordinator | None = None
        self.asked = 0

    def ask(self) -> None:
        """First: finish what is being computed. Again: end at once."""
        self.asked += 1
        self._apply()

    def now(self) -> None:
        """End at once."""
        self.asked = max(2, self.asked)
        self._apply()

    def attach(self, run: Coordinator) -> None:
        """Let a run be ended by this."""
        self._run = run
        self._apply()

    def _apply(self) -> None:
        if self._run is None or not self.asked:
            return
        if self.asked == 1:
            self._run.drain()
        else:
            self._run.stop()


def run_batch(
    batch: Batch,
    *,
    show: Show = lambda snapshot: None,
    stopping: Stopping | None = None,
    workers: Workers | None = None,
    verify: bool = False,
    parquet: bool = False,
    scheduler: str = "",
) -> Ending:
    """Compute everything that a batch's plan wants and that is not done already.

    Parameters
    ----------
    batch : Batch
        What `open_plan` returned.
    show : callable, optional
        Called about once a second with a `Snapshot`, and once at the end.
    stopping : Stopping, optional
        Ends it early.
    workers : Workers, optional
        Instead of the plan's.
    verify : bool
        Compare everything that is done with its checksum first.
    parquet : bool
        Write tables as Parquet, too.
    scheduler : str
        Address of a Dask scheduler, whose workers compute instead of processes of this machine.

    Returns
    -------
    Ending
        What it came to. Failures of units are in it, and in the journal; they are no error.

    Raises
    ------
    BatchError
        Another run has the folder, the disk is full, or workers cannot be started.
    """
    folder = _made(batch.output)
    _check_plan_file(folder)
    with RunLock(folder), _logged(folder), Journal.create(folder) as journal:
        run = _Run(batch, journal, show, stopping or Stopping(), parquet)
        return run.run(workers or batch.plan.workers, verify, scheduler)


class _Run:
    """One run, with its folder and journal."""

    def __init__(
        self, batch: Batch, journal: Journal, show: Show, stopping: Stopping, parquet: bool
    ) -> None:
        self._batch, self._journal, self._stopping = batch, journal, stopping
        self._user_shows, self._parquet = show, parquet
        self._results = Results(batch.output, journal)

    def run(self, workers: Workers, verify: bool, scheduler: str) -> Ending:
        batch, journal = self._batch, self._journal
        fingerprints = _fingerprints(batch)
        units = make_units(batch.positions, batch.steps, fingerprints)
        if scheduler:  # frames are read where they are worked on
            units = tuple(replace(unit, channels=()) for unit in units)
        book = OrderBook(batch.output, batch.positions, batch.steps, fingerprints, units)
        effort = effort_for(workers, units, scheduler)
        _check_memory(book, effort)
        book.remove_drafts()
        earlier = take_up(journal, batch.output, _entries(batch, units), verify=verify)
        monitor = Monitor(units, set(earlier.done), self._show)
        with journal.writing():
            note_positions(journal, batch)
            journal.set_note(LIVE_NOTE, msgspec.to_builtins(monitor.snapshot(None, "running")))
        _write_plan(batch)
        _LOG.info("%d units, %d of them done before", len(units), len(earlier.done))
        try:
            if len(earlier.done) < len(units):
                with Coordinator(book, earlier.done, journal, effort, monitor) as run:
                    self._stopping.attach(run)
                    run.run()
                self._take_back(units, earlier, fingerprints, monitor)
        except BaseException as error:
            self._cut_short(monitor, error)
            raise
        return self._end(monitor, earlier)

    def _take_back(
        self,
        units: tuple[Unit, ...],
        earlier: Earlier,
        fingerprints: dict[Path, str],
        monitor: Monitor,
    ) -> None:
        """Find out whether sources have changed under the run."""
        if self._stopping.asked > 1:  # the next run finds out
            return
        made = {
            unit.id: self._batch.positions[unit.position].info.path
            for number, unit in enumerate(units)
            if number not in earlier.done
        }
        for unit_id in take_back(self._journal, made, fingerprints):
            path = made[unit_id]
            _LOG.warning("%s of %s does not count: %s has changed", *unit_id[1::-1], path)
            monitor.taken_back(unit_id, f"{path} has changed while it was read")

    def _show(self, snapshot: Snapshot) -> None:
        with self._journal.writing():
            self._journal.set_note(LIVE_NOTE, msgspec.to_builtins(snapshot))
        self._results.update()
        self._user_shows(snapshot)

    def _end(self, monitor: Monitor, earlier: Earlier) -> Ending:
        self._journal.give_back()
        steps = monitor.snapshot(None, "").steps
        failed, blocked = sum(s.failed for s in steps), sum(s.blocked for s in steps)
        over = all(step.is_over for step in steps)
        state = "interrupted" if not over else "failed" if failed else "complete"
        snapshot = monitor.snapshot(None, state)
        _LOG.info("%s: %d of %d units done", state, snapshot.done, snapshot.units)
        if self._stopping.asked > 1:  # tables take their time
            write_results(read_outcome(self._batch.output, self._journal))
        else:
            self._results.finish(parquet=self._parquet)
        self._show(snapshot)
        return Ending(
            folder=self._batch.output,
            state=state,
            units=snapshot.units,
            done=snapshot.done,
            kept=len(earlier.done),
            failed=failed,
            blocked=blocked,
            changed=earlier.changed,
            lost=earlier.lost,
            snapshot=snapshot,
        )

    def _cut_short(self, monitor: Monitor, error: BaseException) -> None:
        """Leave word of an end that nobody wanted, as far as that is possible."""
        _LOG.error("the run cannot go on: %s", error)
        try:
            self._journal.give_back()
            with self._journal.writing():
                snapshot = monitor.snapshot(None, "stopped")
                self._journal.set_note(LIVE_NOTE, msgspec.to_builtins(snapshot))
        except BeadscopeError:
            _LOG.exception("the journal could not be told")


def effort_for(workers: Workers, units: tuple[Unit, ...], scheduler: str = "") -> Effort:
    """Return how much of this machine a run takes, where the plan leaves it open."""
    from napari_beadscope.tracking.choice import usable_cores

    gpu = workers.gpu
    if gpu is None:
        wanted = any(unit.category in GPU_CATEGORIES for unit in units)
        gpu = int(wanted and not scheduler and _gpu_works())
    if workers.memory_mb is None:
        memory = psutil.virtual_memory().total // _SHARE_OF_MEMORY
    else:
        memory = workers.memory_mb * _MB
    return Effort(
        cpu_workers=workers.cpu or usable_cores(),
        gpu_workers=0 if scheduler else gpu,
        readers=workers.readers,
        unit_timeout_s=workers.unit_timeout_s,
        limits=Limits(
            soft_frames=workers.queue_soft_limit,
            hard_frames=workers.queue_hard_limit,
            hard_bytes=min(memory, room()),
            max_backlog={"cpu": workers.max_cpu_backlog, "gpu": workers.max_gpu_backlog},
        ),
        scheduler=scheduler,
    )


def _gpu_works() -> bool:
    from napari_beadscope.tracking.backend import list_backends

    return any("gpu" in one.name and one.available for one in list_backends())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatchError(
            f"cannot make the folder {folder} ({error.strerror})", "name another in `output`"
        ) from error
    return folder


def _fingerprints(batch: Batch) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for position in batch.positions:
        path = position.info.path
        if path not in found:
            with open_source(path) as source:
                found[path] = source.fingerprint()
    return found


def _entries(batch: Batch, units: tuple[Unit, ...]) -> list[Entry]:
    versions = [code_identity(step.service) for step in batch.steps]
    settings = [
        json.dumps(step.settings.model_dump(mode="json"), sort_keys=True) for step in batch.steps
    ]
    return [
        Entry(
            unit,
            versions[unit.step],
            settings[unit.step],
            str(batch.positions[unit.position].info.path),
        )
        for unit in units
    ]


def _check_memory(book: OrderBook, effort: Effort) -> None:
    """Refuse a plan whose chunks do not fit into the memory that it allows."""
    limit = effort.limits.hard_bytes
    for unit in book.units:
        _, _, first, last = unit.id
        size = len(unit.channels) * book.nbytes((unit.position, 0, first, last))
        if size > limit:
            raise BatchError(
                f"{last - first} frames of {unit.id[0]} take {size / _MB:.0f} MB for the step "
                f"{unit.id[1]}, where {limit / _MB:.0f} MB are allowed",
                "set `chunk_frames` lower, or `workers.memory_mb` higher",
            )


def _check_plan_file(folder: Path) -> None:
    """Refuse to write over somebody's own plan."""
    path = folder / PLAN_NAME
    try:
        if not path.exists() or (folder / JOURNAL_NAME).exists():
            return
        own = path.read_bytes().startswith(_PLAN_HEAD.encode())
    except OSError as error:
        raise BatchError(f"cannot read {path} ({error.strerror})", "check permissions") from error
    if not own:
        raise BatchError(
            f"a run writes its {PLAN_NAME}, and {folder} has another one",
            "name another folder in `output`",
        )


def _write_plan(batch: Batch) -> None:
    text = yaml.safe_dump(batch.plan.to_dict(), sort_keys=False, allow_unicode=True, width=100)
    try:
        write_atomic(batch.output / PLAN_NAME, _PLAN_HEAD + text)
    except OSError as error:
        raise BatchError(
            f"cannot write to {batch.output} ({error.strerror})", "check the disk and permissions"
        ) from error


class _LogFile(logging.FileHandler):
    """A log that says nothing on the terminal when the disk is full; the run itself does."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Do without the line."""


@contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Write what the run logs into its folder as well."""
    handler = _LogFile(folder / LOG_NAME, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("napari_beadscope.batch")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        handler.close()
