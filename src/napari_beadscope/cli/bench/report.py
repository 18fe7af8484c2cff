"""The figures as tables for people, and as CSV.

Owns the form. Must not know how anything was measured.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.whole_file import whole_file

_Rows = Sequence[dict[str, Any]]
_WIDTH = 150
#: Columns of the main table: heading, key, format.
_MAIN = (
    ("ROI", "size_px", "{:d} px"),
    ("beads", "beads", "{:d}"),
    ("backend", "backend", "{}"),
    ("method", "method", "{}"),
    ("ROI/CPU-s", "rois_per_cpu_s", "{:,.0f}"),
    ("ROI/s", "rois_per_s", "{:,.0f}"),
    ("× magtrack", "ratio", "{:.1f}"),
)
_ERRORS = (
    ("case", "case", "{}"),
    ("backend", "backend", "{}"),
    ("method", "method", "{}"),
    ("axis", "axis", "{}"),
    ("RMSE", "rmse", "{}"),
    ("median", "median", "{}"),
    ("bias", "bias", "{}"),
    ("bound", "bound", "{}"),
    ("× bound", "over_bound", "{}"),
    ("lost", "lost", "{}"),
    ("wrong", "wrong", "{}"),
)
_LATENCY = (
    ("backend", "backend", "{}"),
    ("method", "method", "{}"),
    ("50 beads, median ms", "frame_ms", "{:.2f}"),
    ("best", "frame_ms_best", "{:.2f}"),
    ("95 %", "frame_ms_p95", "{:.2f}"),
    ("one ROI, median µs", "one_roi_us", "{:.0f}"),
    ("best", "one_roi_us_best", "{:.0f}"),
    ("95 %", "one_roi_us_p95", "{:.0f}"),
)
_THREADS = (
    ("backend", "backend", "{}"),
    ("method", "method", "{}"),
    ("beads", "beads", "{:d}"),
    ("ROI/s, 1 thread", "rois_per_s_1", "{:,.0f}"),
    ("2 threads", "rois_per_s_2", "{:,.0f}"),
    ("ratio", "ratio", "{:.2f}"),
    ("CPU per ROI, 2 : 1", "cpu_ratio", "{:.2f}"),
)
_ROIS = (
    ("backend", "backend", "{}"),
    ("method", "method", "{}"),
    ("beads", "beads", "{:d}"),
    ("kept at 64 px", "kept", "{:d}"),
    ("at 50 px", "kept_small", "{:d}"),
    ("lost at 50 px only", "lost_by_small_only", "{:d}"),
    ("wrong at 64 px", "wrong", "{:d}"),
    ("at 50 px", "wrong_small", "{:d}"),
)


def lines(data: dict[str, Any]) -> list[str]:
    """Return everything measured as tables."""
    machine, settings = data["machine"], data["settings"]
    out = [
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load'] or 0:.1f}; "
        f"Python {machine['python']}, numba {machine['numba']}, magtrack {machine['magtrack']}; "
        "one thread",
        f"scene {settings['scene']}: {settings['background_e']:,.0f} e- at the background, "
        f"{settings['bits']} bit, beads within ± {settings['within_px']:g} px and "
        f"± {settings['within_nm']:g} nm, Z-LUT pitch {settings['zlut_pitch_nm']:g} nm from "
        f"{settings['zlut_frames_per_plane']} noisy frames per plane",
    ]
    for name, title in (
        ("headline", "Headline: magtrack's simulator, 64 px, one core"),
        ("table", f"Scene {settings['scene']}"),
    ):
        rows = data.get(name)
        if rows:
            main = (("case", "case", "{}"), *_MAIN) if name == "headline" else _MAIN
            out += ["", f"{title}: speed", *_table(main, rows)]
            timed = sorted({row["timed_rois"] for row in rows if row["timed_rois"] < row["beads"]})
            if timed:
                out.append(f"magtrack was timed on {timed[-1]} ROIs where there are more beads")
            out += ["", f"{title}: errors", *_table(_ERRORS, _by_axis(_once(rows)))]
            out.append(
                "mpx: thousandths of a pixel; × bound: |error| / Cramér-Rao bound per bead, "
                "median, divided by 0.674 (a normal distribution's): 1 is the best there can be;"
            )
            out.append(
                "lost: without a position to trust; wrong: trusted, but off by over 1 px or 500 nm"
            )
    for name, title, columns in (
        ("latency", "One 2048² frame of 50 beads, frame in to rows out; one ROI alone", _LATENCY),
        ("threads", "Two threads beside one", _THREADS),
        ("rois", "50 px ROIs beside 64 px", _ROIS),
    ):
        if data.get(name):
            out += ["", title, *_table(columns, data[name])]
    if data.get("capture"):
        out += ["", "Found right (and found wrong) by distance from the ROI's centre, %"]
        out += _capture_table(data["capture"])
    return [*out, "", f"measured in {data['seconds']:.0f} s"]


def _once(rows: _Rows) -> _Rows:
    """Leave out rows that repeat the errors of another number of beads."""
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        seen.setdefault((row["case"], row["backend"], row["method"]), row)
    return list(seen.values())


def _by_axis(rows: _Rows) -> _Rows:
    """Return the errors in a row of their own for each axis, as text."""
    out = []
    for row in rows:
        for axis, unit, shown, factor in (
            ("x", "px", "mpx", 1e3), ("y", "px", "mpx", 1e3), ("z", "nm", "nm", 1.0),
        ):  # fmt: skip
            first = axis == "x"
            line = {key: row[key] if first else "" for key in ("case", "backend", "method")}
            line |= {key: row[key] if first else "" for key in ("lost", "wrong")}
            line |= {"axis": axis, "over_bound": f"{row[f'{axis}_over_bound']:.2f}"}
            for key in ("rmse", "median", "bias", "bound"):
                sign = "+" if key == "bias" else ""
                line[key] = f"{row[f'{axis}_{key}_{unit}'] * factor:{sign}.2f} {shown}"
            out.append(line)
    return out


def _capture_table(rows: _Rows) -> list[str]:
    shares = sorted({row["offset_share"] for row in rows})
    groups: dict[tuple[str, str, str], dict[float, str]] = {}
    for row in rows:
        text = f"{100 * row['right']:.0f}"
        if row["wrong"] > 0:
            text += f" ({100 * row['wrong']:.0f})"
        key = (f"{row['size_px']} px", row["backend"], row["method"])
        groups.setdefault(key, {})[row["offset_share"]] = text
    heads = ["ROI", "backend", "method", *(f"{share:.2f} W" for share in shares)]
    return _draw(heads, [[*key, *(cells[s] for s in shares)] for key, cells in groups.items()])


def _table(columns: Sequence[tuple[str, str, str]], rows: _Rows) -> list[str]:
    cells = [[form.format(row[key]) for _, key, form in columns] for row in rows]
    return _draw([column[0] for column in columns], cells)


def _draw(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for head in heads:
        text = head in ("case", "backend", "method", "axis")
        table.add_column(head, justify="left" if text else "right", no_wrap=text)
    for line in cells:
        table.add_row(*line)
    console = Console(file=io.StringIO(), width=_WIDTH, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip()]


def write_csv(path: Path, rows: _Rows) -> None:
    """Write one line per row; the file appears whole or not at all.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    path = path.expanduser()
    try:
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "choose another --out"
        ) from error
