"""What `beadscope batch run` does: a plan is checked, carried out, watched and summed up.

Owns the signals while it runs: the first Ctrl-C lets units finish, the second ends at once.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import msgspec
import typer

from napari_beadscope.batch.journal import Journal, Row
from napari_beadscope.batch.monitor import Snapshot
from napari_beadscope.batch.plan_file import with_workers
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import Ending, Stopping, run_batch
from napari_beadscope.cli.batch.view import DRAINING, duration, failure_lines, progress_line, screen
from napari_beadscope.cli.output import Output

_NOTE_S = 10.0
_SHOWN_FAILURES = 10
_FAILED = 1


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked for on the command line."""

    plan: Path
    workers: int | None
    scheduler: str
    output: Path | None
    verify: bool
    parquet: bool
    verbose: bool


def run(request: RunRequest, output: Output) -> None:
    """Run a plan; the exit code tells whether all of it is done."""
    batch = open_plan(request.plan, output=request.output)
    workers = with_workers(batch.plan, cpu=request.workers).workers
    stopping = Stopping()
    began = time.monotonic()
    with _signals(stopping) as heard, _showing(output) as show:
        ending = run_batch(
            batch,
            show=show,
            stopping=stopping,
            workers=workers,
            verify=request.verify,
            parquet=request.parquet,
            scheduler=request.scheduler,
        )
    with Journal.open(ending.folder) as journal:
        failures = list(journal.rows(state="failed"))
    seconds = time.monotonic() - began
    output.result(_data(ending, failures, seconds), _lines(ending, failures, seconds, request))
    if ending.state == "interrupted":
        raise typer.Exit(128 + (heard[0] if heard else signal.SIGINT))
    if ending.state != "complete":
        raise typer.Exit(_FAILED)


def _data(ending: Ending, failures: list[Row], seconds: float) -> dict:
    return {
        "out": str(ending.folder),
        "state": ending.state,
        "units": ending.units,
        "done": ending.done,
        "done_before": ending.kept,
        "failed": ending.failed,
        "blocked": ending.blocked,
        "changed": ending.changed,
        "lost": list(ending.lost),
        "workers_lost": ending.snapshot.deaths,
        "seconds": seconds,
        "steps": [msgspec.to_builtins(step) for step in ending.snapshot.steps],
        "failures": [failure_data(row) for row in failures],
    }


def failure_data(row: Row) -> dict:
    """Return a failure as plain values."""
    return {
        "position": row.position,
        "step": row.step,
        "frames": [row.first, row.last - 1],
        "attempts": row.attempts,
        "error": row.error,
        "remedy": row.remedy,
        "traceback": row.trace,
    }


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _lines(ending: Ending, failures: list[Row], seconds: float, request: RunRequest) -> list[str]:
    lines = []
    if ending.lost:
        lines.append(
            f"{_count(len(ending.lost), 'output was', 'outputs were')} gone or damaged, counted as"
            " not done: " + ", ".join(ending.lost[:3]) + (", ..." if len(ending.lost) > 3 else "")
        )
    if ending.changed:
        what = _count(ending.changed, "result was", "results were")
        lines.append(f"{what} out of date: settings or sources have changed")
    lines += failure_lines(failures[:_SHOWN_FAILURES], request.verbose)
    if len(failures) > _SHOWN_FAILURES or (failures and not request.verbose):
        lines.append(f"see all of it with: beadscope batch status {ending.folder} --verbose")
    before = f", {ending.kept} of them before" if ending.kept else ""
    lines.append(
        f"{ending.done} of {ending.units} units done{before}"
        + (f", {ending.failed} failed" if ending.failed else "")
        + (f", {ending.blocked} not possible without those" if ending.blocked else "")
        + f", {duration(seconds)}"
    )
    if ending.state == "interrupted":
        lines.append("interrupted; run it again to go on")
    return [*lines, f"saved in {ending.folder}"]


@contextmanager
def _signals(stopping: Stopping) -> Iterator[list[int]]:
    """Let signals end the run step by step; give those that were heard."""
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if number != signal.SIGINT:
            stopping.now()
            return
        stopping.ask()

    before = {one: signal.signal(one, hear) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _showing(output: Output) -> Iterator[Callable[[Snapshot], None]]:
    """Show a run on the terminal, or in a line now and then where there is none."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if console.is_terminal and not output.as_json:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda snapshot: live.update(screen(snapshot, console.height), refresh=True)
        return
    next_s = time.monotonic() + _NOTE_S
    state = "running"

    def note(snapshot: Snapshot) -> None:
        nonlocal next_s, state
        if snapshot.state == "draining" != state:
            output.note(DRAINING)
        state = snapshot.state
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + _NOTE_S
            output.note(progress_line(snapshot))

    yield note
