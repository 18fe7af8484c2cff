"""How a batch looks on a terminal: the live screen, the table of its status, its failures.

Owns words and columns. Must not know where they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from napari_beadscope.batch.journal import Row
from napari_beadscope.batch.monitor import Snapshot, StepProgress, WorkerView
from napari_beadscope.cli.output import table

if TYPE_CHECKING:
    from rich.console import RenderableType

#: What the first Ctrl-C leads to.
DRAINING = "Ctrl-C: finishing what is being computed (once more ends at once)"
_MB = 1_000_000
_LINES_BESIDE = 12
_SILENT_S = 10.0


def duration(seconds: float) -> str:
    """Return a time span in words.

    Examples
    --------
    >>> duration(3.21), duration(75), duration(7500)
    ('3.2 s', '1 min 15 s', '2 h 05 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def progress_line(snapshot: Snapshot) -> str:
    """Return how a run is, in one line."""
    parts = [f"{snapshot.done} of {snapshot.units} units done"]
    failed = sum(step.failed for step in snapshot.steps)
    if failed:
        parts.append(f"{failed} failed")
    waiting = sum(snapshot.backlog.values())
    parts.append(f"{waiting} waiting")
    if snapshot.frames_ahead:
        ahead = f"{snapshot.frames_ahead} frames ({snapshot.bytes_ahead / _MB:.0f} MB)"
        parts.append(f"{ahead} read ahead")
    parts.append(f"memory {snapshot.rss_bytes / _MB:.0f} MB")
    if snapshot.eta_s is not None:
        parts.append(f"{duration(snapshot.eta_s)} left")
    return ", ".join(parts)


def step_rows(steps: Iterable[StepProgress]) -> list[tuple[str, ...]]:
    """Return a row of text for each position and step, under its header."""
    rows: list[tuple[str, ...]] = [
        ("position", "step", "done", "frames/s", "left", "failed", "not possible")
    ]
    for step in steps:
        rate = "" if step.frames_per_s is None else f"{step.frames_per_s:.1f}"
        left = "" if step.eta_s is None or step.is_over else duration(step.eta_s)
        rows.append(
            (
                step.position,
                step.step,
                f"{step.done}/{step.units}",
                rate,
                left,
                str(step.failed or ""),
                str(step.blocked or ""),
            )
        )
    return rows


def status_lines(snapshot: Snapshot) -> list[str]:
    """Return the whole status as lines."""
    return [*table(step_rows(snapshot.steps)), *map(worker_line, snapshot.workers)]


def worker_line(worker: WorkerView) -> str:
    """Return what a worker is doing."""
    doing = "idle"
    if worker.busy_with:
        doing = f"{worker.busy_with}, for {duration(worker.busy_s)}"
    words = [f"{worker.name} ({worker.kind}): {doing}", f"{worker.rss_bytes / _MB:.0f} MB"]
    if worker.silent_s > _SILENT_S:
        words.append(f"not heard of for {duration(worker.silent_s)}")
    if worker.deaths:
        words.append(f"replaced {worker.deaths} times")
    return ", ".join(words)


def failure_lines(failures: Sequence[Row], with_traceback: bool) -> list[str]:
    """Return why units have failed, and what can be done."""
    lines = []
    for row in failures:
        remedy = f": {row.remedy}" if row.remedy else ""
        told = (
            f"failed: {row.step} of {row.position}, frames {row.first} to {row.last - 1}: "
            f"{row.error}{remedy}"
        )
        lines.append(_one_line(told))
        if with_traceback and row.trace:
            lines += [f"    {_printable(line)}" for line in row.trace.rstrip().splitlines()]
    return lines


def _one_line(text: str) -> str:
    """Return text of anybody as one line that does nothing to the terminal."""
    return _printable(" ".join(text.split()))


def _printable(line: str) -> str:
    return "".join(letter for letter in line if letter.isprintable())


def screen(snapshot: Snapshot, height: int) -> RenderableType:
    """Return the live view of a run, not higher than a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    fits = max(3, height - _LINES_BESIDE - len(snapshot.workers))
    steps = sorted(snapshot.steps, key=lambda step: (step.is_over, step.done == 0))[:fits]
    head, *rows = step_rows(steps)
    grid = Table(box=None, pad_edge=False)
    for name in head:
        grid.add_column(name, justify="left" if name in ("position", "step") else "right")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    more = len(snapshot.steps) - len(steps)
    state = DRAINING if snapshot.state == "draining" else snapshot.state
    last = f"{state} for {duration(snapshot.elapsed_s)}: {progress_line(snapshot)}"
    return Group(
        grid,
        Text(f"and {more} more" if more > 0 else ""),
        *(Text(worker_line(worker)) for worker in snapshot.workers),
        *(Text(error, style="red") for error in snapshot.errors[-3:]),
        Text(last, style="bold"),
    )
