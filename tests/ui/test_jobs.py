"""Jobs: their order, progress, cancel; alone, and in napari's activity dock."""

from __future__ import annotations

import threading
import time
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton

from napari_beadscope.core.errors import InputError
from napari_beadscope.ui.docks.job_row import JobRow
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.jobs import Job, JobLane, Outcome, Progress, Task, attempt, launch_inline
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.session import Session


def test_jobs_run_in_order_and_a_failed_one_does_not_stop_the_next() -> None:
    waiting: list[Task] = []
    seen: list[object] = []
    busy: list[str] = []
    lane = JobLane(waiting.append, busy.append)

    def fail() -> None:
        raise InputError("no", "yes")

    lane.submit(Job("one", fail, seen.append, lambda outcome: seen.append(str(outcome.error))))
    lane.submit(Job("two", lambda: 2, seen.append, lambda outcome: None))
    assert len(waiting) == 1
    for _ in range(2):
        launch_inline(waiting.pop(0))
    assert seen == ["no: yes", 2]
    assert busy == ["one", "two", ""]
    assert not lane.busy


def test_a_closed_lane_ignores_what_comes_back_and_asks_the_job_to_end() -> None:
    waiting: list[Task] = []
    seen: list[object] = []
    lane = JobLane(waiting.append, lambda label: None)
    progress = Progress()
    lane.submit(Job("one", lambda: 1, seen.append, lambda outcome: None, progress=progress))
    lane.close()
    assert progress.cancelled
    waiting[0].deliver(Outcome(value=1))
    lane.submit(Job("two", lambda: 2, seen.append, lambda outcome: None))
    assert seen == []


def test_an_unexpected_error_keeps_its_traceback() -> None:
    outcome = attempt(lambda: [][1])
    assert isinstance(outcome.error, IndexError)
    assert "IndexError" in outcome.traceback


def test_a_long_job_tells_how_far_it_is(session: Session) -> None:
    seen: list[Any] = []
    session.model.events.job.connect(seen.append)

    def work(progress: Progress) -> int:
        for plane in range(4):
            progress(plane, 4, f"plane {plane + 1} of 4")
        return 7

    done: list[int] = []
    session.jobs.run("Sweeping", work, done.append)
    assert done == [7]
    assert [job.fraction for job in seen[:-1]] == [None, 0.0, 0.25, 0.5, 0.75]
    assert seen[3].text == "plane 3 of 4"
    assert seen[-1] is None


def test_a_cancelled_job_is_undone_and_said_but_is_no_error(
    session: Session, said: list[Message]
) -> None:
    undone: list[str] = []
    done: list[int] = []

    def work(progress: Progress) -> int:
        progress(0.5)
        session.jobs.cancel()
        progress(0.6)
        return 1

    session.jobs.run("Sweeping", work, done.append, lambda: undone.append("x"))
    assert (done, undone) == ([], ["x"])
    assert said[-1].text == "Sweeping: cancelled"
    assert said[-1].severity == "info"


def test_what_a_job_returns_after_its_cancel_is_not_used(session: Session) -> None:
    done: list[int] = []

    def work(progress: Progress) -> int:
        progress.cancel()  # and the work does not look
        return 1

    session.jobs.run("Searching", work, done.append)
    assert done == []


def test_a_long_job_needs_the_camera_only_if_it_says_so(
    session: Session, said: list[Message]
) -> None:
    session.jobs.on_scope("Sweeping", lambda scope, progress: None)
    assert "press Live first" in said[-1].text


def test_a_quick_command_passes_a_long_job(shown_host: SessionHost, qtbot: Any) -> None:
    session = shown_host.session
    session.start_live()
    qtbot.waitUntil(lambda: session.model.live)
    go = threading.Event()
    session.jobs.run("Sweeping", lambda progress: go.wait(20))
    session.stop_live()
    qtbot.waitUntil(lambda: "stop_live" in session.scope.calls)
    assert session.model.job is not None
    go.set()
    qtbot.waitUntil(lambda: session.model.job is None)


def test_the_activity_dock_shows_progress_and_cancels(shown_host: SessionHost, qtbot: Any) -> None:
    from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar

    session = shown_host.session
    window = shown_host.viewer.window._qt_window
    row = JobRow(session)
    qtbot.addWidget(row)
    for signal, slot in row.wiring():
        signal.connect(slot)
    ended: list[float] = []

    def work(progress: Progress) -> None:
        try:
            for step in range(2000):
                progress(step, 2000, f"step {step}")
                time.sleep(0.02)
        finally:
            ended.append(time.monotonic())

    session.jobs.run("Sweeping the focus", work)
    qtbot.waitUntil(lambda: bool(window.findChildren(QtLabeledProgressBar)))
    (line,) = window.findChildren(QtLabeledProgressBar)
    bar, cancel = line.findChild(QProgressBar), line.findChild(QPushButton)
    qtbot.waitUntil(lambda: bar.maximum() == 100 and bar.value() >= 1)
    texts = [label.text() for label in line.findChildren(QLabel)]
    assert any("BeadScope: Sweeping the focus" in text for text in texts), texts
    assert row.isVisible() or not row.isHidden()
    assert row.bar.maximum() == 100
    assert not cancel.isHidden()
    cancel.click()
    qtbot.waitUntil(lambda: session.model.job is None)
    assert len(ended) == 1
    assert row.isHidden()
    qtbot.waitUntil(lambda: not window.findChildren(QtLabeledProgressBar))
    assert session.model.messages[-1].text == "Sweeping the focus: cancelled"


def test_the_dock_row_cancels_too(shown_host: SessionHost, qtbot: Any) -> None:
    session = shown_host.session
    mine, other = JobRow(session, ("Finding",)), JobRow(session, ("Sweeping",))
    for row in (mine, other):
        qtbot.addWidget(row)
        for signal, slot in row.wiring():
            signal.connect(slot)

    def work(progress: Progress) -> None:
        while True:
            progress.check()
            time.sleep(0.01)

    session.jobs.run("Finding beads", work)
    qtbot.waitUntil(mine.isVisible)
    assert other.isHidden()
    assert mine.bar.maximum() == 0  # how far it is is not known
    qtbot.mouseClick(mine.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(mine.isHidden)
