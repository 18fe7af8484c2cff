"""How a batch is, in words: its state, its steps, its failures.

Owns words only. Must not know Qt, or where things come from.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_beadscope.batch.journal import Row
from napari_beadscope.batch.monitor import Snapshot, StepProgress
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.presenters.amounts import bytes_text, clock

TONES = {"failed": "bad", "stopped": "bad", "draining": "warn", "cut off": "warn"}
WORDS = {
    "new": "Nothing is done yet",
    "starting": "Starting",
    "running": "Running",
    "draining": "Ends when what was begun is done",
    "complete": "Complete",
    "failed": "Over; some of it has failed: Run tries that again",
    "interrupted": "Interrupted: Run goes on",
    "stopped": "It could not go on (see run.log): Run goes on",
    "cut off": "Cut off: Run goes on",
}


@dataclass(frozen=True, slots=True)
class JobRow:
    """A line of the table: a step of a position in words."""

    position: str
    step: str
    state: str
    done: str
    rate: str
    left: str
    failed: str
    tone: str
    tip: str


MEANING = (
    "Units are chunks of frames, for each step and position. What waits has all that it needs. "
    "Then: the memory of all processes, and the frames that have been read ahead"
)


def numbers_of(now: Snapshot, is_on: bool) -> list[str]:
    """Return how much of a batch is done, and of a run that is on, how it does."""
    left = [f"{clock(now.eta_s)} left"] if is_on and now.eta_s is not None else []
    parts = [*left, f"{now.done} of {now.units} units"]
    failed = sum(step.failed for step in now.steps)
    if failed:
        parts.append(f"{failed} failed")
    if is_on:
        parts += [f"{sum(now.backlog.values())} wait", bytes_text(now.rss_bytes)]
        if now.frames_ahead:
            parts.append(f"{now.frames_ahead} frames ({bytes_text(now.bytes_ahead)}) ahead")
    return parts


def failure_text(row: Row) -> str:
    """Return why a unit has failed, in one sentence."""
    remedy = f": {row.remedy}" if row.remedy else ""
    return (
        f"{row.step} of {row.position}, frames {row.first} to {row.last - 1}: {row.error}{remedy}"
    )


def failure_message(row: Row) -> Message:
    """Return a failure as a message with its traceback."""
    return Message("error", failure_text(row), row.finished_s or time.time(), row.trace)


def job_row(step: StepProgress, is_on: bool) -> JobRow:
    """Return a step of a position in words."""
    state, tone = _state_of(step, is_on)
    tip = f"{step.step} of {step.position}: {step.done} of {step.units} units done"
    if step.frames:
        tip += f", {step.frames_done} of {step.frames} frames"
    if step.failed:
        tip += f"; {step.failed} failed: Enter or a double click shows why"
    if step.blocked:
        tip += f"; {step.blocked} cannot be computed without what has failed"
    left = "" if step.eta_s is None or step.is_over or not is_on else clock(step.eta_s)
    rate = "" if step.frames_per_s is None else f"{step.frames_per_s:.3g}"
    bad = step.failed + step.blocked
    done = f"{step.done}/{step.units}"
    return JobRow(step.position, step.step, state, done, rate, left, str(bad or ""), tone, tip)


def _state_of(step: StepProgress, is_on: bool) -> tuple[str, str]:
    if step.failed:
        return "failed", "bad"
    if step.blocked:
        return "blocked", "warn"
    if step.done == step.units:
        return "done", "ok"
    if is_on and step.frames_per_s is not None:
        return "running", "ok"
    return ("begun" if step.done else "waits"), "ok"
