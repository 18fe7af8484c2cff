"""`beadscope bench view`: what a live view costs the viewer's GUI thread, beside others.

Owns the request, its checks and the table. Each contestant runs in a process of its own, which
`ui.bench.worker` or `ui.bench.micromanager` is. Must not know napari.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_beadscope.cli.demo.run import why_no_window
from napari_beadscope.cli.output import Output
from napari_beadscope.core.errors import EngineError, InputError

CONTESTANTS = ("beadscope", "beadscope-unlabelled", "plain", "shapes")
MICROMANAGER = "napari-micromanager"
SIZES_PX, BEADS = (512, 1024, 2048), (0, 100, 500)
_CASE_TIMEOUT_S = 240.0
_START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Options as given; empty where nothing was.

    ``micromanager`` is a Python that has napari-micromanager.
    """

    sizes: str = ""
    beads: str = ""
    contestants: str = ""
    seconds: float = 10.0
    micromanager: Path | None = None


def bench_view(request: ViewRequest, output: Output) -> None:
    """Measure the live views and print what came out.

    Raises
    ------
    InputError
        An option cannot be used, or there is nothing to show a window on.
    EngineError
        A contestant's process failed; the message has its last line.
    """
    sizes = _numbers("--sizes", request.sizes, 64, 8192) or SIZES_PX
    beads = _numbers("--beads", request.beads, 0, 5000) or BEADS
    if not 0.2 <= request.seconds <= 600:
        raise InputError(f"--seconds is {request.seconds:g}", "give 0.2 to 600")
    names = _words(request.contestants) or CONTESTANTS
    for name in names:
        if name not in CONTESTANTS:
            raise InputError(f"there is no contestant {name!r}", f"use {', '.join(CONTESTANTS)}")
    python = request.micromanager
    if python is not None and not python.is_file():
        raise InputError(f"no Python at {python}", "name the interpreter of an environment")
    why_not = why_no_window()
    if why_not:
        remedy = "run it on a desktop, or on Linux with: xvfb-run beadscope bench view"
        raise InputError(f"a viewer cannot be measured: {why_not}", remedy)
    rows = []
    wanted = {"sizes": sizes, "beads": beads, "seconds": request.seconds}
    for name in names:
        counts = (0,) if name == "plain" else beads
        output.note(f"{name} ...")
        command = [sys.executable, "-m", "napari_beadscope.ui.bench.worker"]
        asked = {**wanted, "contestant": name, "beads": counts}
        rows += [_figures(row) for row in _run(name, command, asked)]
    if python is not None:
        output.note(f"{MICROMANAGER} ...")
        script = Path(__file__).parents[2] / "ui" / "bench" / "micromanager.py"
        rows += [_figures(row) for row in _run(MICROMANAGER, [str(python), str(script)], wanted)]
    machine = _machine()
    output.result({"view": rows, "machine": machine}, _lines(rows, machine))


def _run(name: str, command: list[str], wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one contestant."""
    cases = len(wanted["sizes"]) * len(wanted["beads"])
    patience_s = _START_TIMEOUT_S + cases * (wanted["seconds"] + _CASE_TIMEOUT_S)
    try:
        done = subprocess.run(
            [*command, json.dumps(wanted)],
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{name} was not measured within {patience_s:.0f} s") from error
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"cont')]
    if not found:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise EngineError(f"{name} could not be measured ({last})", "see whether napari opens here")
    yield from found


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    """Return a contestant's row with what is read off it."""
    wall_s, cpu_s, draw_s = row["wall_s"], row["cpu_s"], row["draw_s"]
    updates = row["updates"]
    besides_ms = 1e3 * (cpu_s - draw_s) / updates if updates else float("nan")
    return {
        "contestant": row["contestant"],
        "size_px": row["size_px"],
        "beads": row["beads"],
        "updates_per_s": updates / wall_s,
        "share": cpu_s / wall_s,
        "share_besides_drawing": (cpu_s - draw_s) / wall_s,
        "ms_per_update": besides_ms,
        "draw_ms": 1e3 * draw_s / row["draws"] if row["draws"] else float("nan"),
    }


def _lines(rows: list[dict[str, Any]], machine: dict[str, Any]) -> list[str]:
    heads = ("", "frame", "beads", "updates/s", "GUI thread", "besides drawing", "", "a draw")
    table = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in table) for k in range(len(heads))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
    load = machine["load"]
    lines.append("")
    lines.append(f"napari {machine['napari']}, {machine['cores']} cores, load average {load:.1f}")
    if load > machine["cores"]:
        lines.append(
            "Other programs were running: rates are lower than they would be, times longer"
        )
    return lines


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["contestant"],
        f"{row['size_px']}²",
        f"{row['beads']}",
        f"{row['updates_per_s']:.1f}",
        f"{100 * row['share']:.0f} %",
        f"{100 * row['share_besides_drawing']:.0f} %",
        f"{row['ms_per_update']:.1f} ms an update",
        f"{row['draw_ms']:.1f} ms",
    )


def _aligned(cells: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        yield cell.rjust(width) if number else cell.ljust(width)


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "python": platform.python_version(),
        "napari": version("napari"),
        "cores": os.cpu_count() or 1,
        "load": load,
    }


def _numbers(name: str, text: str, low: int, high: int) -> tuple[int, ...]:
    try:
        values = tuple(int(word) for word in _words(text))
    except ValueError as error:
        raise InputError(f"{name} is {text!r}", "give whole numbers, as in 512,2048") from error
    for value in values:
        if not low <= value <= high:
            raise InputError(f"{name} has {value}", f"give numbers from {low} to {high}")
    return values


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
