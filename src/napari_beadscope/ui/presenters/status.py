"""The Status dock's mind: how camera, trackers, screen and engine do, in numbers and words.

Owns what counts as bad. Must not know Qt.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.session import Session

#: A tracker that lags by more frames than this is falling behind.
BACKLOG_WARN = 50
HEARTBEAT_WARN_S = 2.0


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with its name; ``tone`` is 'ok', 'warn' or 'bad'."""

    name: str
    label: str
    value: str
    unit: str
    detail: str
    tone: str
    tip: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One process of the engine, as text."""

    name: str
    pid: str
    state: str
    restarts: str
    tone: str
    tip: str


class StatusPresenter:
    """What the Status dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def metrics(self) -> tuple[Metric, ...]:
        """Return the numbers, in the order in which a frame travels."""
        model = self._session.model
        status, screen = model.status, model.screen
        if status is None:
            return tuple(
                Metric(name, label, "–", unit, "", "ok", tip)
                for name, label, unit, tip in _NO_STATUS
            )
        dropped = int(status.dropped)
        backlog = int(status.backlog)
        shown = screen.fps if model.live else 0.0
        values = (
            (f"{status.fps:.1f}", f"{status.frames:,} frames", "ok"),
            (f"{status.tracked_fps:.1f}", f"{status.rows:,} rows", "ok"),
            (f"{shown:.1f}", f"{screen.skipped:,} skipped", "ok"),
            (f"{dropped:,}", (model.drop_reason or "cause unknown") if dropped else "none",
             "bad" if dropped else "ok"),
            (f"{backlog:,}", "falling behind" if backlog > BACKLOG_WARN else "",
             "warn" if backlog > BACKLOG_WARN else "ok"),
        )  # fmt: skip
        return tuple(
            Metric(name, label, value, unit, detail, tone, tip)
            for (name, label, unit, tip), (value, detail, tone) in zip(_NO_STATUS, values)
        )

    def workers(self) -> tuple[WorkerRow, ...]:
        """Return the processes of the engine."""
        status = self._session.model.status
        if status is None:
            return ()
        rows = []
        for worker in status.workers:
            age_s = float(worker.heartbeat_age_s)
            late = age_s > HEARTBEAT_WARN_S
            tone = "bad" if late else "warn" if worker.restarts else "ok"
            state = str(getattr(worker.state, "value", worker.state)).lower()
            rows.append(
                WorkerRow(
                    worker.name,
                    str(worker.pid or "–"),
                    f"silent {age_s:.0f} s" if late else state,
                    str(worker.restarts),
                    tone,
                    f"Last heartbeat {age_s:.1f} s ago"
                    + (", busy" if worker.busy else ", idle"),
                )
            )  # fmt: skip
        return tuple(rows)

    def headline(self) -> tuple[str, str]:
        """Return the engine's state in one line, and its tone."""
        model = self._session.model
        if model.phase is Phase.LOST:
            return "The engine has ended unexpectedly; press Live to start a new one", "bad"
        if model.answer_age_s > 0:
            return f"The engine has not answered for {model.answer_age_s:.0f} s", "bad"
        step = "" if model.status is None else model.status.tracking.step
        if step:
            return f"{step[:1].upper()}{step[1:]}… tracking starts when that is done", "ok"
        if model.busy:
            return f"{model.busy}…", "ok"
        if model.phase is Phase.NONE:
            return "No engine: press Live to start one", "ok"
        if model.recording is not None:
            return f"Recording into {model.recording.name}", "ok"
        return ("Live" if model.live else "Idle"), "ok"

    def tracking(self) -> str:
        """Return which backend tracks, with which method, and why that one."""
        status = self._session.model.status
        return "" if status is None else status.tracking.sentence

    def clear_messages(self) -> None:
        """Forget all messages."""
        self._session.clear_messages()


_NO_STATUS = (
    ("camera", "Camera", "fps", "Frames per second that arrive from the camera"),
    ("tracking", "Tracking", "fps", "Frames per second whose beads are tracked"),
    ("screen", "Screen", "fps",
     "Screen updates per second, at most 30; frames it skips are still tracked and saved"),
    ("dropped", "Dropped", "frames", "Frames that were exposed but lost, since the engine started"),
    ("backlog", "Backlog", "frames", "Frames that wait to be tracked"),
)  # fmt: skip


def message_line(message: Message) -> str:
    """Return a message as one line with its time.

    Examples
    --------
    >>> message_line(Message("info", "hello", 0.0)).endswith("hello")
    True
    """
    stamp = time.strftime("%H:%M:%S", time.localtime(message.time_s))
    return f"{stamp}  {message.text}"
