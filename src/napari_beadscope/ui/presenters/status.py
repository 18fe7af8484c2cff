"""The Status dock's mind: how camera, trackers, screen and engine do, in numbers and words.

Owns what counts as bad. Must not know Qt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.other_engines import records
from napari_beadscope.ui.presenters.amounts import bytes_text, clock, duration_text
from napari_beadscope.ui.presenters.disk import DiskGauge
from napari_beadscope.ui.session import Session

#: A tracker that lags by more frames than this is falling behind.
BACKLOG_WARN = 50
HEARTBEAT_WARN_S = 2.0
#: A machine with less memory than this left begins to swap.
MEMORY_WARN_BYTES = 500_000_000
GPU_WARN = 0.95


@dataclass(frozen=True, slots=True)
class Reading:
    """A number as text, with a detail; ``tone`` is 'ok', 'warn' or 'bad'."""

    value: str
    detail: str = ""
    tone: str = "ok"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with its name."""

    name: str
    label: str
    reading: Reading
    tip: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One process of the engine, as text."""

    name: str
    pid: str
    state: str
    heartbeat: str
    memory: str
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
        self._disk = DiskGauge(session)

    def metrics(self) -> tuple[Metric, ...]:
        """Return the numbers, in the order in which a frame travels."""
        known = dict(self._known())
        return tuple(
            Metric(name, label, known.get(name, Reading("–")), tip) for name, label, tip in _METRICS
        )

    def workers(self) -> tuple[WorkerRow, ...]:
        """Return the processes of the engine."""
        status = self._session.model.status
        return () if status is None else tuple(_worker_row(one) for one in status.workers)

    def headline(self) -> tuple[str, str]:
        """Return the engine's state in one line, and its tone."""
        model = self._session.model
        if model.phase is Phase.LOST:
            return "The engine has ended unexpectedly; press Live to start a new one", "bad"
        if model.answer_age_s > 0:
            return f"The engine has not answered for {model.answer_age_s:.0f} s", "bad"
        if model.status is not None and model.status.camera_lost:
            seconds = model.status.camera_lost_s
            away = f"{seconds:.0f} s" if seconds < 120 else duration_text(seconds)
            return f"The camera has been lost for {away}; it is looked for until it is back", "bad"
        step = "" if model.status is None else model.status.tracking.step
        if step:
            return f"{step[:1].upper()}{step[1:]}… tracking starts when that is done", "ok"
        if model.busy:
            return f"{model.busy}…", "ok"
        other = self._session.others.recording
        if model.phase is Phase.NONE:
            if other is None:
                return "No engine: press Live to start one", "ok"
            return f"A microscope runs and {records(other)}: press Attach in Camera", "warn"
        own = "Live" if model.live else "Idle"
        if model.recording is not None:
            own = f"Recording into {model.recording.name}"
        return (own, "ok") if other is None else (f"{own}; another one {records(other)}", "warn")

    def notice(self) -> tuple[str, str]:
        """Return what is wrong now in full sentences, '' if nothing is, and its tone."""
        model = self._session.model
        status = model.status
        said: list[tuple[str, str]] = []
        if status is not None and status.camera_lost:
            said.append((f"The camera is lost: {status.camera_lost}.", "bad"))
        if status is not None and status.dropped:
            why = model.drop_reason or "cause unknown"
            said.append((f"{_frames(status.dropped)} dropped: {why}.", "bad"))
        disk = self._disk.state()
        if disk.is_short:
            rest = "" if disk.left_s is None else f", {duration_text(disk.left_s)} at this rate"
            said.append(
                (f"The disk is nearly full: {bytes_text(disk.left_bytes or 0)} left{rest}.", "bad")
            )
        if status is not None and status.backlog > BACKLOG_WARN:
            text = (
                f"{_frames(status.backlog)} wait to be tracked or saved: "
                "fewer beads, a lower frame rate, or a faster disk help."
            )
            said.append((text, "warn"))
        if not said:
            return "", "ok"
        return " ".join(text for text, _ in said), said[0][1]

    def tracking(self) -> str:
        """Return which backend tracks, with which method, and why that one."""
        status = self._session.model.status
        return "" if status is None else status.tracking.sentence

    def clear_messages(self) -> None:
        """Forget all messages."""
        self._session.clear_messages()

    def _known(self) -> Iterator[tuple[str, Reading]]:
        """Return each number that is known by its name."""
        model = self._session.model
        status = model.status
        yield "disk", self._disk_metric()
        if status is None:
            return
        screen = model.screen
        yield "camera", Reading(_fps(status.fps), f"{status.frames:,} frames")
        yield "tracking", Reading(_fps(status.tracked_fps), f"{status.rows:,} rows")
        shown = screen.fps if model.live else 0.0
        yield "screen", Reading(_fps(shown), f"{screen.skipped:,} skipped")
        yield "latency", _latency(status.latency_ms, model.screen_latency_ms)
        dropped, backlog = int(status.dropped), int(status.backlog)
        tone = "bad" if dropped else "ok"
        yield "dropped", Reading(f"{dropped:,}", "see above" if dropped else "none", tone)
        tone = "warn" if backlog > BACKLOG_WARN else "ok"
        yield (
            "backlog",
            Reading(f"{backlog:,}", "falling behind" if tone == "warn" else "frames", tone),
        )
        if model.recording is not None:
            yield (
                "recorded",
                Reading(f"{status.recorded_frames:,}", f"frames, {clock(model.recorded_s)}"),
            )
        else:
            yield "recorded", Reading("–", "not recording")
        left = int(status.memory_left_bytes)
        tone = "bad" if 0 < left < MEMORY_WARN_BYTES else "ok"
        yield "memory", Reading(bytes_text(status.memory_bytes), f"{bytes_text(left)} free", tone)
        yield "gpu", _gpu(status)

    def _disk_metric(self) -> Reading:
        disk = self._disk.state()
        if disk.left_bytes is None:
            return Reading("–", "no such folder", "bad")
        tone = "bad" if disk.is_short else "ok"
        if disk.left_s is None:
            return Reading(bytes_text(disk.left_bytes), "free", tone)
        return Reading(duration_text(disk.left_s), f"{bytes_text(disk.left_bytes)} free", tone)


def _latency(tracked_ms: float, screen_ms: float) -> Reading:
    screen = f"screen {_ms(screen_ms)} ms" if screen_ms >= 0 else ""
    if tracked_ms < 0:
        return Reading("–", screen or "not tracking")
    return Reading(f"{_ms(tracked_ms)} ms", screen)


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _fps(rate: float) -> str:
    return f"{rate:.1f} fps" if rate < 1000 else f"{rate:,.0f} fps"


def _gpu(status: Any) -> Reading:
    used, total = int(status.gpu_used_bytes), int(status.gpu_total_bytes)
    if not total:
        return Reading("–", "not used")
    tone = "warn" if used > GPU_WARN * total else "ok"
    return Reading(bytes_text(used), f"of {bytes_text(total)}", tone)


def _frames(count: int) -> str:
    return f"{count:,} frame{'' if count == 1 else 's'}"


def _worker_row(worker: Any) -> WorkerRow:
    age_s = float(worker.heartbeat_age_s)
    late = age_s > HEARTBEAT_WARN_S
    state = str(getattr(worker.state, "value", worker.state)).lower()
    down = state in ("down", "failed")
    tone = "bad" if late or down else "warn" if worker.restarts else "ok"
    does = "it works at this moment" if worker.busy else "it waits for work"
    return WorkerRow(
        worker.name,
        str(worker.pid or "–"),
        "silent" if late else state,
        f"{age_s:.1f} s",
        bytes_text(worker.memory_bytes) if worker.memory_bytes else "–",
        str(worker.restarts),
        tone,
        f"{worker.name}, process {worker.pid}: {state}; {does}. "
        f"Last sign of life {age_s:.1f} s ago, restarted {worker.restarts} times.",
    )


_METRICS = (
    ("camera", "Camera", "Frames per second that arrive from the camera, and frames so far"),
    ("tracking", "Tracking", "Frames per second whose beads are tracked, and track rows so far"),
    ("screen", "Screen",
     "Screen updates per second, at most 30; frames it skips are still tracked and saved"),
    ("latency", "Latency",
     "From exposure until a frame's positions can be read, median of the last second; below it, "
     "until the frame is on the screen"),
    ("recorded", "Recorded", "Frames that are saved in the recording that is on"),
    ("dropped", "Dropped", "Frames that were exposed but lost, since the engine started"),
    ("backlog", "Backlog", "Frames that wait to be tracked or saved"),
    ("disk", "Disk left", "How long the disk lasts at the data rate of the chosen mode"),
    ("memory", "Memory",
     "Of the engine with its frame ring; below it, what is free on this machine"),
    ("gpu", "GPU", "Memory in use on the GPU that tracks, by all programs"),
)  # fmt: skip


def message_line(message: Message) -> str:
    """Return a message as one line with its time, and how often it came.

    Examples
    --------
    >>> message_line(Message("info", "hello", 0.0, count=3)).endswith("hello (3 times)")
    True
    """
    stamp = time.strftime("%H:%M:%S", time.localtime(message.time_s))
    again = f" ({message.count} times)" if message.count > 1 else ""
    return f"{stamp}  {message.text}{again}"
