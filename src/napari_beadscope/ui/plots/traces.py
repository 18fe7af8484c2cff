"""Beads against time, against each other and against a quantity; what drift is taken off.

Owns the correction by reference beads as it is shown. Must not know Qt or where rows are from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_beadscope.analysis import drift_of, envelope
from napari_beadscope.analysis.drift import row_median
from napari_beadscope.ui.plots.figure import AXES, Curve, Figure, Panel, Request, Table, empty
from napari_beadscope.ui.plots.sources import Source, Traces

NOTHING = "Nothing is tracked in this time"
#: Of a cloud, per bead and altogether: more only makes it slow.
_DOTS, _DOTS_IN_ALL = 3000, 12_000
#: Curves stand apart by so many times the median distance from their medians: noise just fits.
_APART = 12.0
#: Frames without any reference that are bridged.
MAX_GAP = 10
#: Points of all curves together that are drawn in a few hundredths of a second.
_POINTS = 100_000


def read(source: Source, request: Request) -> tuple[Traces, str]:
    """Return the beads that are asked for, less the drift if it is, and what was done in words."""
    beads = tuple(dict.fromkeys((*request.beads, *request.references)))
    traces = source.traces(beads, request.start_s, request.stop_s)
    if not request.references:
        return _part(traces, request.beads), ""
    found = [i for i, bead in enumerate(traces.beads) if bead in request.references]
    if not found:
        return _part(traces, request.beads), "no reference bead is tracked: not corrected"
    for axis in range(3):
        values = traces.xyz_nm[found, axis].T
        if np.isfinite(values).any():
            traces.xyz_nm[:, axis] -= drift_of(values, max_gap=MAX_GAP)
    names = ", ".join(str(traces.beads[i]) for i in found)
    how = "the median of beads" if len(found) > 1 else "bead"
    return _part(traces, request.beads), f"less the drift of {how} {names}"


def time_figure(source: Source, request: Request) -> Figure:
    """Return x, y, z and quantities against time, above each other."""
    traces, done = read(source, request)
    panels = []
    columns = max(50, min(request.columns, _POINTS // (2 * max(1, 3 * len(request.beads)))))
    span = (request.start_s, request.stop_s)
    for name in request.rows:
        if name in AXES:
            values, label = axis_values(traces, name, request.place)
            panels.append(Panel(label, _curves(traces, values, span, columns)))
        else:
            panels.append(_quantity_panel(source, name, span))
    if not panels:
        return empty("Choose what to show under Rows", "time (s)")
    words = _sentence(traces, request, done)
    return Figure(tuple(panels), "time (s)", span=span, beads=traces.beads, words=words)


def relation_figure(source: Source, request: Request) -> Figure:
    """Return one coordinate or quantity against another as clouds, one per bead."""
    traces, done = read(source, request)
    across, across_label = values_of(source, traces, request.across, request.place)
    up, up_label = values_of(source, traces, request.up, request.place)
    step = max(1, -(-len(traces.time_s) // _DOTS), -(-up.size // _DOTS_IN_ALL))
    curves = tuple(
        Curve(across[row, ::step], up[row, ::step], bead, "dots")
        for row, bead in enumerate(traces.beads)
    )
    both = request.across in AXES and request.up in AXES
    words = _sentence(traces, request, done)
    if step > 1:
        words += f" · every {step}. frame is drawn"
    return Figure(
        (Panel(up_label, curves),), across_label, equal=both, beads=traces.beads, words=words
    )


def time_table(source: Source, request: Request) -> Table:
    """Return every row that the time plot stands for, bead by bead."""
    traces, _ = read(source, replace(request, rows=AXES))
    beads, n = len(traces.beads), len(traces.time_s)
    corrected = "_corrected" if request.references else ""
    columns = {
        "frame": np.tile(traces.frame, beads),
        "time_s": np.tile(traces.time_s, beads),
        "bead": np.repeat(np.array(traces.beads, np.int64), n),
        **{
            f"{name}{corrected}_nm": traces.xyz_nm[:, axis].ravel()
            for axis, name in enumerate(AXES)
        },
        "quality": traces.quality.ravel(),
    }
    for name in request.rows:
        if name not in AXES:
            label = values_of(source, traces, name, "measured")[1]
            columns[label] = np.tile(at_frames(source, traces, name), beads)
    there = np.isfinite(columns["quality"])
    return Table({name: values[there] for name, values in columns.items()})


def relation_table(source: Source, request: Request) -> Table:
    """Return every point of the clouds."""
    traces, _ = read(source, request)
    across, across_label = values_of(source, traces, request.across, request.place)
    up, up_label = values_of(source, traces, request.up, request.place)
    n = len(traces.time_s)
    return Table(
        {
            "time_s": np.tile(traces.time_s, len(traces.beads)),
            "bead": np.repeat(np.array(traces.beads, np.int64), n),
            across_label: across.ravel(),
            up_label: up.ravel(),
        }
    )


def axis_values(traces: Traces, name: str, place: str) -> tuple[np.ndarray, str]:
    """Return one coordinate ``(b, n)`` in nm, placed as `Request.place` says, and its label."""
    values = traces.xyz_nm[:, AXES.index(name)]
    if place == "measured" or not values.size:
        return values, f"{name} (nm)"
    # A few thousand rows tell the middle as well as all.
    values = values - row_median(values[:, :: 1 + values.shape[1] // _DOTS])[:, np.newaxis]
    if place == "apart":
        some = np.abs(values[:, :: 1 + values.shape[1] // _DOTS])
        width = _APART * float(np.nanmax(row_median(some), initial=0.0))
        values -= width * np.arange(len(values))[:, np.newaxis]
    return values, f"Δ{name} (nm)"


def values_of(source: Source, traces: Traces, name: str, place: str) -> tuple[np.ndarray, str]:
    """Return a coordinate, or a quantity at the frames' times, as ``(b, n)``, and its label."""
    if name in AXES:
        return axis_values(traces, name, "centred" if place == "apart" else place)
    label = next((q.label for q in source.quantities if q.name == name), name)
    values = at_frames(source, traces, name)
    return np.broadcast_to(values, (len(traces.beads), len(values))), label


def at_frames(source: Source, traces: Traces, name: str) -> np.ndarray:
    """Return a quantity at the frames' times, by straight lines between samples."""
    times, values = source.series(name)
    good = np.isfinite(values)
    if not good.any():
        return np.full(len(traces.time_s), np.nan)
    return np.interp(traces.time_s, times[good], values[good], left=np.nan)


def _curves(
    traces: Traces, values: np.ndarray, span: tuple[float, float], columns: int
) -> tuple[Curve, ...]:
    return tuple(
        Curve(*envelope(traces.time_s, values[row], *span, columns), colour=bead)
        for row, bead in enumerate(traces.beads)
    )


def _quantity_panel(source: Source, name: str, span: tuple[float, float]) -> Panel:
    times, values = source.series(name)
    label = next((q.label for q in source.quantities if q.name == name), name)
    part = slice(*np.searchsorted(times, span))
    return Panel(label, (Curve(times[part], values[part]),))


def _part(traces: Traces, beads: tuple[int, ...]) -> Traces:
    rows = [i for i, bead in enumerate(traces.beads) if bead in beads]
    return replace(
        traces,
        beads=tuple(traces.beads[i] for i in rows),
        xyz_nm=traces.xyz_nm[rows],
        quality=traces.quality[rows],
    )


def _sentence(traces: Traces, request: Request, done: str) -> str:
    """Return what is seen: how much, what was done to it, and what was left out."""
    if not traces.beads or not len(traces.frame):
        return NOTHING
    seen = int(np.isfinite(traces.quality).sum())
    doubtful = int((np.isfinite(traces.quality) & np.isnan(traces.xyz_nm[:, 0])).sum())
    parts = [f"{len(traces.frame):,} frames"]
    if done:
        parts.append(done)
    if seen and doubtful:
        parts.append(f"{100 * doubtful / seen:.2g} % of the rows cannot be trusted: left out")
    if "z" in (*request.rows, request.up, request.across) and np.isnan(traces.xyz_nm[:, 2]).all():
        parts.append("no z: choose a Z-LUT")
    return " · ".join(parts)
