"""The Jobs dock's mind: which batch, how far it is, what can be done with it.

Owns the choice and the run that was started here. The journal is only read, by jobs off the GUI
thread. Must not know Qt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from napari_beadscope.batch.background import (
    CAN_DRAIN,
    StartedRun,
    drain,
    process_of,
    start_run,
    stop,
)
from napari_beadscope.batch.journal import Row
from napari_beadscope.batch.run import PLAN_NAME
from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.storage.settings_file import recent_batches, remember_batch
from napari_beadscope.ui.batch_look import BatchLook, Reading, read_path
from napari_beadscope.ui.jobs import Job, JobLane, Outcome
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.amounts import bytes_text
from napari_beadscope.ui.presenters.batch_text import (
    MEANING,
    TONES,
    WORDS,
    JobRow,
    job_row,
    numbers_of,
)
from napari_beadscope.ui.session import Session

_FINE = (0, 1, 130, 143, -2, -15)


class BatchJobsPresenter:
    """What the Jobs dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    changed : callable
        Called on the GUI thread when there is something new to show.
    """

    def __init__(self, session: Session, changed: Callable[[], None]) -> None:
        self._session, self._changed = session, changed
        self._lane: JobLane | None = None
        self.path: Path | None = None
        self.reading: Reading | None = None
        #: The table: positions and steps in the plan's order.
        self.rows: tuple[JobRow, ...] = ()
        self.started: StartedRun | None = None
        self._stopping = False
        self._began = False  # the run that was started here has been seen at work

    # which batch

    def wake(self) -> None:
        """Look at the batch again, or at the last one."""
        self._lane = JobLane(self._session.launch, lambda _: None)
        self.path = self.path or next(iter(recent_batches()), None)
        self.poll()

    def rest(self) -> None:
        """Look no more; a run goes on."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None

    def choose(self, text: str) -> None:
        """Be about the plan or folder of this path."""
        text = text.strip()
        path = Path(text).expanduser().absolute() if text else None
        if path != self.path:
            self.path, self.reading, self.rows = path, None, ()
            self.started, self._stopping, self._began = None, False, False
            if path is not None:
                remember_batch(path)
            self._changed()
        self.poll()

    def follow(self, folder: Path) -> None:
        """Be about the batch that was opened in the viewer, unless a run is looked after."""
        known = self.path == folder or self.folder == folder
        if not known and not self.is_on:
            self.choose(str(folder))

    def poll(self) -> None:
        """Look how the batch is, unless that is being done."""
        path, before = self.path, self.reading
        if path is None or self._lane is None or self._lane.busy:
            return

        def work() -> tuple[Reading, tuple[JobRow, ...]]:
            reading = read_path(path, before)
            look = reading.look
            steps = () if look is None else look.steps
            return reading, tuple(job_row(step, look is not None and look.is_on) for step in steps)

        def done(found: tuple[Reading, tuple[JobRow, ...]]) -> None:
            if found[0].path == self.path:
                self._took(*found)

        def failed(outcome: Outcome) -> None:
            if path == self.path and outcome.error is not None:
                self._took(Reading(path, problem=str(outcome.error)), ())

        self._lane.submit(Job("Looking at the batch", work, done, failed, quick=True))

    def _took(self, reading: Reading, rows: tuple[JobRow, ...]) -> None:
        self.reading, self.rows = reading, rows
        on = reading.look is not None and reading.look.is_on
        self._began = self._began or on
        self._stopping = self._stopping and (on or not self._began)
        self._note_end()
        self._changed()

    def _note_end(self) -> None:
        """Tell of a run that ended without having begun: a plan with mistakes, a full disk."""
        run = self.started
        code = None if run is None else run.exit_code
        if run is None or code is None:
            return
        self.started = None
        if code not in _FINE:
            said = run.said()
            text = f"The batch could not be run: {said.splitlines()[-1] if said else code}"
            self._session.say(Message("error", text, time.time(), said))

    @property
    def look(self) -> BatchLook | None:
        """How the batch is, None if that is not known."""
        return None if self.reading is None else self.reading.look

    @property
    def folder(self) -> Path | None:
        """The folder of the results, None if that is not known."""
        return None if self.reading is None else self.reading.folder

    @property
    def is_on(self) -> bool:
        """Whether a run is on, or on its way."""
        begun = self.started is not None and self.started.exit_code is None
        return begun or (self.look is not None and self.look.is_on)

    # what can be done

    def why_no_run(self) -> str:
        """Return why the batch cannot be run now, '' if it can."""
        if self.path is None:
            return "Choose a plan, or the folder of a batch's results"
        if self.reading is None:
            return "It is being looked at"
        if self.reading.problem:
            return self.reading.problem
        if self.is_on:
            return "It runs already"
        return "" if self.reading.plan is not None else f"There is no {PLAN_NAME} in the folder"

    def why_no_drain(self) -> str:
        """Return why the run cannot be asked to end, '' if it can."""
        if not self.is_on:
            return "Nothing runs"
        if self._stopping or (self.look is not None and self.look.state == "draining"):
            return "It is ending"
        return "" if CAN_DRAIN else "Not on this system: Stop ends it at once"

    def why_no_stop(self) -> str:
        """Return why the run cannot be stopped, '' if it can."""
        if not self.is_on:
            return "Nothing runs"
        return "It is stopping" if self._stopping else ""

    def why_no_results(self) -> str:
        """Return why no results can be opened, '' if they can."""
        if self.look is None or not any(step.done for step in self.look.steps):
            return "There are no results yet"
        return ""

    def run(self) -> None:
        """Carry the plan out in a process of its own."""
        reading = self.reading
        if self.why_no_run() or reading is None or reading.plan is None:
            return
        self._began = False
        output = reading.folder if reading.path.is_dir() else None
        try:
            self.started = start_run(reading.plan, output)
        except (BeadscopeError, OSError) as error:
            self._session.fail(error, doing="Running the batch")
        self._changed()

    def drain(self) -> None:
        """Ask the run to finish what it has begun, and to end then."""
        self._signal(drain)

    def stop(self) -> None:
        """End the run at once."""
        self._stopping = self._signal(stop)
        self._changed()

    def _signal(self, act: Callable[[int], None]) -> bool:
        pid = self._pid()
        if pid:
            act(pid)
            return True
        self._session.fail(
            InputError(
                f"no process of yours writes into {self.folder}", "end it where it was begun"
            )
        )
        return False

    def _pid(self) -> int:
        if self.started is not None and self.started.exit_code is None:
            return self.started.pid
        look = self.look
        if look is None or look.now is None:
            return 0
        return process_of(look.folder, look.now.pid)

    # what is shown

    def state(self) -> tuple[str, str, str]:
        """Return how the batch is in a line, its tone, and more words for a tooltip."""
        if self.path is None or self.reading is None or self.reading.problem:
            why = self.why_no_run()
            bad = self.reading is not None and bool(self.reading.problem)
            return why.splitlines()[0], "bad" if bad else "ok", why
        look = self.look
        state = "new" if look is None else look.state
        if self.is_on and not self._began:
            state = "starting"
        now = None if look is None else look.now
        numbers = [] if now is None else numbers_of(now, self.is_on)
        words = "Stopping" if self._stopping else WORDS.get(state, state)
        parts = [words, *(numbers or filter(None, [self.reading.words]))]
        text = " · ".join(parts)
        return text, TONES.get(state, "ok"), f"{text}\n{MEANING}"

    def share(self) -> float | None:
        """Return which part of all units is done, 0 to 1; None if there are none."""
        now = None if self.look is None else self.look.now
        return None if now is None or not now.units else now.done / now.units

    def failures(self, position: str = "", step: str = "") -> tuple[Row, ...]:
        """Return what has failed: all, or of a position and step."""
        found = () if self.look is None else self.look.failures
        if not position:
            return found
        return tuple(row for row in found if (row.position, row.step) == (position, step))

    def workers(self) -> tuple[tuple[str, ...], ...]:
        """Return a line for each worker and reader: what it does, for how long, its memory."""
        now = None if self.look is None or not self.look.is_on else self.look.now
        if now is None:
            return ()
        return tuple(
            (
                one.name,
                one.busy_with or "idle",
                f"{one.busy_s:.0f} s" if one.busy_with else "",
                bytes_text(one.rss_bytes),
                str(one.deaths or ""),
            )
            for one in now.workers
        )
