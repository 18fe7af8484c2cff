"""Fits of a curve to every trace of a table: one row for each, and pictures.

Owns ``fits/`` in a batch's folder: which rows are a trace, columns and names of files. Must not
know curves; `analysis.fits` fits them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.analysis.fit_models import FitModel
from napari_beadscope.analysis.fits import TraceFit, fit_trace
from napari_beadscope.batch.flags import Flag, Thing, kind_of, read_flags
from napari_beadscope.batch.naming import safe
from napari_beadscope.batch.tables import TABLES_NAME, columns_of
from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file

FITS_NAME = "fits"


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One thing's values: cells, beads and particles have one each in every position."""

    position: str
    number: int
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True)
class Series:
    """Which columns of which table are traces, and which column tells them apart."""

    table: Path
    x: str
    y: str
    kind: str | None


def find_series(place: Path, model: FitModel, table: str, x: str, y: str) -> Series:
    """Return what of a batch, or of a CSV file, is to be fitted.

    Parameters
    ----------
    place : Path
        A batch's folder, or a table.
    model : FitModel
        Says which columns it is meant for.
    table, x, y : str
        A step whose table it is, and columns; '' for what the model and the table suggest.

    Raises
    ------
    InputError
        There is no such table or column; those that there are are named.
    """
    file = _table(place, table, y or model.y)
    columns = columns_of(file)
    x, y = x or model.x, y or model.y
    if not y:
        raise InputError(
            f"the curve {model.name} suits any column of {file}",
            f"say which with --y: {', '.join(columns)}",
        )
    for option, name in (("--x", x), ("--y", y)):
        if name not in columns:
            raise InputError(
                f"{file} has no column '{name}'", f"give {option}: {', '.join(columns)}"
            )
    return Series(file, x, y, kind_of(columns))


def read_traces(
    series: Series, parts: Sequence[Path] | None = None, *, empty: bool = False
) -> Iterator[Trace]:
    """Yield the traces of a table by position and number, each in the order of x.

    Parameters
    ----------
    series : Series
        Which columns of which table.
    parts : sequence of Path, optional
        Files that are the table together; default: its one.
    empty : bool
        A table without rows has no traces, and is no error.

    Raises
    ------
    InputError
        The table cannot be read, or x is empty throughout.
    """
    import pandas as pd

    keys = [name for name in ("position", series.kind) if name]
    wanted = [name for name in columns_of(series.table) if name in {*keys, series.x, series.y}]
    types: dict[str, Any] = {"position": "category", series.x: float, series.y: float}
    if series.kind:
        types[series.kind] = "int64"
    types = {name: types[name] for name in wanted}
    try:
        read = [pd.read_csv(p, usecols=wanted, dtype=types) for p in parts or (series.table,)]
        rows = pd.concat(read, ignore_index=True)
    except (OSError, ValueError) as error:
        why = str(error).strip().splitlines()[-1]
        raise InputError(f"{series.table} cannot be read ({why})", "correct it") from None
    if not len(rows) and empty:
        return
    if not len(rows):
        raise InputError(f"{series.table} has no rows", "run the batch to its end first")
    if rows[series.x].isna().all():
        remedy = "give the plan's frame_interval_s and run the batch again, or another --x"
        raise InputError(f"{series.table} does not know any {series.x}", remedy)
    if "position" not in rows:
        rows["position"] = series.table.stem
    if not series.kind:
        rows["number"] = 0
    grouped = rows.groupby(["position", series.kind or "number"], sort=True, observed=True)
    for (position, number), some in grouped:
        x, y = some[series.x].to_numpy(), some[series.y].to_numpy()
        order = np.argsort(x, kind="stable")
        yield Trace(str(position), int(number), x[order], y[order])


def good_only(traces: list[Trace], kind: str | None, folder: Path) -> list[Trace]:
    """Return the traces that nobody has called bad in the folder's flags.csv."""
    flags: dict[Thing, Flag] = read_flags(folder) if kind else {}
    return [
        one
        for one in traces
        if flags.get((one.position, kind or "", one.number), Flag()).good is not False
    ]


def fit_traces(
    traces: list[Trace], model: FitModel, tell: Callable[[int], None] = lambda done: None
) -> list[TraceFit]:
    """Fit every trace; `tell` hears how many are done. A trace that cannot be fitted says why."""
    found = []
    for number, trace in enumerate(traces, start=1):
        found.append(fit_trace(trace.x, trace.y, model))
        tell(number)
    return found


def fit_names(place: Path, model: FitModel, y: str) -> tuple[Path, Path]:
    """Return the table and the picture of a fit."""
    folder = place / FITS_NAME if place.is_dir() else place.parent / f"{place.stem}_{FITS_NAME}"
    stem = safe(f"{model.name}_{y}")
    return folder / f"{stem}.csv", folder / f"{stem}.png"


def write_fits(
    path: Path,
    series: Series,
    model: FitModel,
    traces: list[Trace],
    fits: list[TraceFit],
) -> None:
    """Write one row for each trace: who, how good, then each value and its error.

    Raises
    ------
    StorageError
        The file cannot be written; an older one is unharmed.
    """
    names = [parameter.name for parameter in model.parameters]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    head = ["position", *([series.kind] if series.kind else []), "model", "x", "y", "points"]
    told = [part for name in names for part in (name, f"{name}_error")]
    out.writerow([*head, "r_squared", "residual", *told, "problem"])
    for trace, fit in zip(traces, fits, strict=True):
        who = [trace.position, *([trace.number] if series.kind else [])]
        values = [fit.r_squared, fit.residual]
        values += [v for name in names for v in (fit.values[name], fit.errors[name])]
        cells = ["" if math.isnan(value) else f"{value:.9g}" for value in values]
        out.writerow([*who, model.name, series.x, series.y, fit.points, *cells, fit.problem])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror})", "check the folder and free space"
        ) from error


def summary(model: FitModel, fits: list[TraceFit]) -> dict[str, Any]:
    """Return how many fits can be trusted, and of those the median and quartiles of each value."""
    trusted = [fit for fit in fits if not fit.problem]
    spread = {}
    for parameter in model.parameters:
        if parameter.fixed is None and trusted:
            values = [fit.values[parameter.name] for fit in trusted]
            low, middle, high = (float(v) for v in np.percentile(values, [25, 50, 75]))
            spread[parameter.name] = {"median": middle, "lower": low, "upper": high}
    problems: dict[str, int] = {}
    for fit in fits:
        if fit.problem:
            problems[fit.problem] = problems.get(fit.problem, 0) + 1
    return {"traces": len(fits), "trusted": len(trusted), "values": spread, "problems": problems}


def _table(place: Path, step: str, y: str) -> Path:
    """Return the table to read: `place` itself, or the one of a batch that fits."""
    if place.is_file():
        return place
    if not place.exists():
        raise InputError(f"there is no {place}", "give a batch's folder, or a table")
    tables = sorted((place / TABLES_NAME).glob("*.csv"))
    tables = [path for path in tables if kind_of(columns_of(path))]
    known = ", ".join(path.stem for path in tables)
    if not tables:
        raise InputError(f"{place} holds no tables of a batch", "run the batch first")
    if step:
        named = [path for path in tables if path.stem == step]
        if not named:
            raise InputError(f"{place} has no table '{step}'", f"it has {known}")
        return named[0]
    suited = [path for path in tables if y in columns_of(path)] if y else tables
    if len(suited) != 1:
        what = f"{place} has several tables" if suited else f"no table of {place} has '{y}'"
        raise InputError(what, f"say which with --table: {known}")
    return suited[0]
