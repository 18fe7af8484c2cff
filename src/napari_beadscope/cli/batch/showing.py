"""What `beadscope batch status` does: the journal is read and shown, during a run or after it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.monitor import Snapshot
from napari_beadscope.batch.status import read_status
from napari_beadscope.cli.batch.running import failure_data
from napari_beadscope.cli.batch.view import failure_lines, progress_line, status_lines
from napari_beadscope.cli.output import Output

_WORDS = {
    "running": "running",
    "draining": "running; it ends when what is being computed is done",
    "complete": "complete",
    "failed": "over, and some of it has failed; run it again to try that again",
    "interrupted": "interrupted; run it again to go on",
    "stopped": "it could not go on (see run.log); run it again to go on",
    "cut off": "cut off; run it again to go on",
}


def show_status(folder: Path, output: Output, verbose: bool) -> None:
    """Show how far a batch is."""
    status = read_status(folder)
    with Journal.open(folder) as journal:
        failures = list(journal.rows(state="failed"))
    data = {
        "out": str(folder),
        **msgspec.to_builtins(status),
        "units": status.units,
        "done": status.done,
        "failures": [failure_data(row) for row in failures],
    }
    lines = [
        *status_lines(status),
        *failure_lines(failures, verbose),
        f"{_WORDS.get(status.state, status.state)}: {_summed(status)}",
    ]
    output.result(data, lines)


def _summed(status: Snapshot) -> str:
    if status.state in ("running", "draining"):
        return progress_line(status)
    return f"{status.done} of {status.units} units done"
