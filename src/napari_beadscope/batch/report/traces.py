"""What the report shows of tables: how many things there are, and traces of some of them.

Owns which positions, columns and traces are shown when there are too many. Must not know HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.flags import Flag, Thing, kind_of
from napari_beadscope.batch.outcome import Outcome
from napari_beadscope.batch.report.charts import PALETTE, Curve, legend, line_chart
from napari_beadscope.batch.tables import columns_of, is_table

#: At most so many positions are drawn, with so many traces each, and about so many frames.
MAX_POSITIONS, MAX_TRACES, MAX_FRAMES = 16, 30, 4000
_BLOCK_ROWS = 1_000_000
_COLUMNS = ("intensity_total_", "area_px", "x_nm", "y_nm", "z_nm")
_MAX_COLUMNS = 3
_ABOUT = ("x_nm", "y_nm", "x_px", "y_px")  # about their medians: how beads move, not where they are
_IN_PX = {"x_nm": "x_px", "y_nm": "y_px"}  # drawn where the size of a pixel is not known
_UNITS_S = ((2 * 86400.0, 3600.0, "h"), (7200.0, 3600.0, "h"), (300.0, 60.0, "min"))


@dataclass(slots=True)
class Shown:
    """What is shown of one table.

    ``charts`` are by what they show; ``things`` is how many there are of which kind, by position;
    every `stride`-th frame is drawn.
    """

    step: str
    kind: str
    things: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    counts: str = ""
    charts: dict[str, list[str]] = field(default_factory=dict)
    left_out: str = ""
    stride: int = 1


def chosen(names: Sequence[str], most: int) -> list[str]:
    """Return some names, evenly over all.

    Examples
    --------
    >>> chosen(["a", "b", "c", "d", "e"], 3)
    ['a', 'c', 'e']
    """
    if len(names) <= most:
        return list(names)
    return [names[int(at)] for at in np.linspace(0, len(names) - 1, most).round()]


def tables_shown(outcome: Outcome, flags: Mapping[Thing, Flag]) -> list[Shown]:
    """Return what is shown of every table that has frames and things in them."""
    shown = []
    for step, of_position in outcome.table_parts().items():
        parts = {name: [p for p in some if is_table(p)] for name, some in of_position.items()}
        parts = {name: some for name, some in parts.items() if some}
        if parts:
            columns = columns_of(next(iter(parts.values()))[0])
            kind = kind_of(columns)
            if kind and "frame" in columns and _drawn(columns):
                shown.append(_table(step, kind, columns, parts, flags))
    return shown


def _table(
    step: str,
    kind: str,
    columns: list[str],
    parts: Mapping[str, Sequence[Path]],
    flags: Mapping[Thing, Flag],
) -> Shown:
    shown, drawn = Shown(step, kind), _drawn(columns)
    names, counts = set(chosen(list(parts), MAX_POSITIONS)), []
    others = [_IN_PX[name] for name in drawn if _IN_PX.get(name) in columns]
    wanted = [kind, "frame", *drawn, *others, *(["time_s"] if "time_s" in columns else [])]
    most, x_label = 0, ""
    for number, (position, paths) in enumerate(parts.items()):
        seen = _scan(paths, kind)
        shown.things[position] = len(seen.rows)
        shown.rows += sum(seen.rows.values())
        if position not in names or not seen.rows:
            continue
        most = max(most, len(seen.rows))
        shown.stride = max(shown.stride, seen.stride)
        rows = _read(paths, wanted, seen.stride)
        x, x_label = _axis(rows)
        rows = rows.assign(x_axis=x)
        at = rows.groupby("frame")["x_axis"].first()
        there = seen.per_frame[at.index.to_numpy()].astype(float)
        color = PALETTE[number % len(PALETTE)]
        counts.append(Curve(at.to_numpy(float), there, "count", color, position))
        for column in drawn:
            if not rows[column].notna().any():
                column = _IN_PX.get(column, "")
                if column not in others:
                    continue  # such as heights without a Z-LUT
            curves = _curves(rows, kind, column, position, seen, flags)
            chart = line_chart(position, curves, x_label, _label(column))
            shown.charts.setdefault(column, []).append(chart)
    if counts:
        title = f"{kind}s in each frame ({step})"
        chart = line_chart(title, counts, x_label, f"{kind}s", from_zero=True)
        shown.counts = f"<div>{chart}{legend(counts)}</div>"
    shown.left_out = _left_out(shown, len(parts), len(names), most)
    return shown


@dataclass(slots=True)
class _Seen:
    """How many rows each thing has, how many things each frame, and every how many-th is drawn."""

    rows: Counter[int]
    per_frame: np.ndarray
    stride: int


def _scan(paths: Sequence[Path], kind: str) -> _Seen:
    """Count a position's rows, some at a time, however many there are."""
    rows: Counter[int] = Counter()
    per_frame = np.zeros(0, np.int64)
    for some in _blocks(paths, [kind, "frame"]):
        numbers, count = np.unique(some[kind].to_numpy(), return_counts=True)
        rows.update(dict(zip(numbers.tolist(), count.tolist())))
        found = np.bincount(some["frame"].to_numpy(), minlength=len(per_frame))
        found[: len(per_frame)] += per_frame
        per_frame = found
    return _Seen(rows, per_frame, max(1, int((per_frame > 0).sum()) // MAX_FRAMES))


def _blocks(paths: Sequence[Path], columns: Sequence[str]) -> Iterator[Any]:
    import pandas as pd

    for path in paths:
        with pd.read_csv(path, usecols=list(columns), chunksize=_BLOCK_ROWS) as blocks:
            for some in blocks:
                if len(some):
                    yield some


def _read(paths: Sequence[Path], columns: Sequence[str], stride: int) -> Any:
    import pandas as pd

    some = [rows[rows["frame"] % stride == 0] for rows in _blocks(paths, columns)]
    return pd.concat(some, ignore_index=True)


def _label(column: str) -> str:
    return f"{column} less its median" if column in _ABOUT else column


def _left_out(shown: Shown, positions: int, drawn: int, most: int) -> str:
    words = []
    if positions > drawn:
        words.append(f"{drawn} of {positions} positions are drawn, evenly over all")
    if most > MAX_TRACES:
        words.append(f"at most {MAX_TRACES} {shown.kind}s of each, those that are there longest")
    if shown.stride > 1:
        which = {2: "second", 3: "third"}.get(shown.stride, f"{shown.stride}th")
        words.append(f"of long movies every {which} frame")
    return "; ".join(words)


def _drawn(columns: Sequence[str]) -> list[str]:
    found = [name for start in _COLUMNS for name in columns if name.startswith(start)]
    return found[:_MAX_COLUMNS]


def _axis(rows: Any) -> tuple[np.ndarray, str]:
    """Return the x axis: time, or frames where no time is known."""
    if "time_s" not in rows or not rows["time_s"].notna().any():
        return rows["frame"].to_numpy(float), "frame"
    time_s = rows["time_s"].to_numpy(float)
    longest = float(np.nanmax(time_s))
    for limit, unit, name in _UNITS_S:
        if longest > limit:
            return time_s / unit, f"time, {name}"
    return time_s, "time, s"


def _curves(
    rows: Any, kind: str, column: str, position: str, seen: _Seen, flags: Mapping[Thing, Flag]
) -> list[Curve]:
    """Return a thin curve for each of some things, and the median of all."""
    longest = sorted(seen.rows, key=lambda number: (-seen.rows[number], number))
    numbers = sorted(longest[:MAX_TRACES])
    curves = []
    for at, number in enumerate(numbers):
        some = rows[rows[kind] == number].sort_values("frame")
        y = some[column].to_numpy(float)
        if column in _ABOUT and np.isfinite(y).any():
            y = y - np.nanmedian(y)
        bad = flags.get((position, kind, int(number)), Flag()).good is False
        curves.append(
            Curve(
                some["x_axis"].to_numpy(float),
                y,
                "bad" if bad else "one",
                PALETTE[at % len(PALETTE)],
                f"{kind} {number}" + (" (flagged as bad)" if bad else ""),
            )
        )
    together = column not in (*_ABOUT, "z_nm")  # where beads are says nothing together
    if len(numbers) > 3 and together:
        middle = rows.groupby("frame").agg(x=("x_axis", "first"), y=(column, "median"))
        x, y = middle["x"].to_numpy(float), middle["y"].to_numpy(float)
        curves.append(Curve(x, y, "median", "black", f"median of all {len(longest)}"))
    return curves
