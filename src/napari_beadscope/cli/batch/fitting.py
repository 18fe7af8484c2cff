"""What `beadscope batch fit` does: from words on the command line to a table and a picture.

Must not know how curves are fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output, table
from napari_beadscope.core.errors import InputError


@dataclass(frozen=True, slots=True)
class FitRequest:
    """The command's options as given."""

    place: Path
    model: str
    table: str = ""
    x: str = ""
    y: str = ""
    fix: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    with_bad: bool = False
    picture: bool = True
    overwrite: bool = False


def fit(request: FitRequest, output: Output) -> None:
    """Fit all traces and say what was found.

    Raises
    ------
    BeadscopeError
        The request cannot be met; nothing is written then.
    """
    from napari_beadscope.analysis.fits import adjusted, find_model
    from napari_beadscope.batch import fitting
    from napari_beadscope.batch.fit_picture import draw_fits

    place = request.place.expanduser().absolute()
    model = adjusted(
        find_model(request.model),
        {name: _number(value, f"--fix {name}") for name, value in map(_pair, request.fix)},
        request.free,
        {name: _range(value, f"--bound {name}") for name, value in map(_pair, request.bound)},
    )
    series = fitting.find_series(place, model, request.table, request.x, request.y)
    names = fitting.fit_names(place, model, series.y)
    for name in names[: 1 + request.picture]:
        if name.parent.is_dir() or name.parent.exists():
            refuse_existing([name], request.overwrite, [series.table])
    traces = list(fitting.read_traces(series))
    found = len(traces)
    if not request.with_bad:
        traces = fitting.good_only(traces, series.kind, place if place.is_dir() else place.parent)
    if not traces:
        raise InputError(f"all traces of {series.table} are flagged as bad", "add --all")
    with output.progress("{task.completed:.0f}/{task.total:.0f} traces") as progress:
        task = progress.add_task(model.name, total=len(traces))
        fits = fitting.fit_traces(traces, model, lambda done: progress.update(task, completed=done))
    fitting.write_fits(names[0], series, model, traces, fits)
    data: dict[str, Any] = {"table": names[0], **fitting.summary(model, fits)}
    data["flagged"] = found - len(traces)
    if request.picture:
        draw_fits(names[1], model, series.y, traces, fits, series.kind)
        data["picture"] = names[1]
    output.result(data, _lines(data))


def _lines(data: dict[str, Any]) -> list[str]:
    lines = [str(data["table"]), f"  {data['trusted']} of {data['traces']} fits can be trusted"]
    rows = [
        (f"  {name}", f"{at['median']:.4g}", f"{at['lower']:.4g} to {at['upper']:.4g}")
        for name, at in data["values"].items()
    ]
    lines += table([("  value", "median", "half of them"), *rows]) if rows else []
    often = sorted(data["problems"].items(), key=lambda pair: -pair[1])
    lines += [f"  {count} not: {problem}" for problem, count in often]
    if data["flagged"]:
        lines.append(f"  {data['flagged']} flagged as bad left out; --all fits them, too")
    return lines + ([f"drawn in {data['picture']}"] if "picture" in data else [])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"'{text}' is no NAME=VALUE", "write such as offset=0")
    return name.strip(), value.strip()


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: '{text}' is no number", "write such as 1.28") from None


def _range(text: str, where: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    if not colon:
        raise InputError(f"{where}: '{text}' is no range", "write LOW:HIGH, such as 0:10")
    return _number(low, where), _number(high, where)
