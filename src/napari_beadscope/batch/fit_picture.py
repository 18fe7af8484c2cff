"""A picture of many fits: how the values are spread, and some traces with their curves.

Must not know tables or files but the one it writes. matplotlib is imported late.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.analysis.fit_models import FitModel
from napari_beadscope.analysis.fits import TraceFit
from napari_beadscope.core.whole_file import whole_file

if TYPE_CHECKING:
    from napari_beadscope.batch.fitting import Trace

_SHOWN, _ACROSS = 12, 4
_HOUR_S = 3600.0
_CURVE, _DOUBT, _POINTS = "#0b6e99", "#c1432e", "#8a8f98"


def draw_fits(
    path: Path, model: FitModel, y: str, traces: list[Trace], fits: list[TraceFit], kind: str | None
) -> None:
    """Write a picture of the spread of every value that was found, and of some traces.

    The traces are spread evenly from the worst to the best R².

    Parameters
    ----------
    path : Path
        PNG, replaced if it is there.
    model : FitModel
        What was fitted.
    y : str
        Label of the traces.
    traces, fits : lists of one length
        As they belong together.
    kind : str or None
        What a trace is of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = [parameter for parameter in model.parameters if parameter.fixed is None]
    shown = _chosen(fits)
    lines = -(-len(shown) // _ACROSS)
    figure = Figure(figsize=(12, 2.4 * (1 + lines)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    top, *_ = parts = figure.subfigures(
        1 + bool(lines), 1, height_ratios=[1, lines][: 1 + bool(lines)], squeeze=False
    )[:, 0]
    trusted = [fit for fit in fits if not fit.problem]
    top.suptitle(f"{model.name}: {len(trusted)} of {len(fits)} fits can be trusted", fontsize=11)
    for axes, parameter in zip(top.subplots(1, len(found) + 1, squeeze=False)[0], [*found, None]):
        _histogram(axes, parameter, trusted)
    if lines:
        panels = parts[1].subplots(lines, _ACROSS, squeeze=False).ravel()
        for axes, at in zip(panels, shown):
            _trace(axes, model, y, traces[at], fits[at], kind)
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
    with whole_file(path) as new:
        figure.savefig(new, metadata={"Software": None})


def _chosen(fits: list[TraceFit]) -> list[int]:
    """Return which traces are shown, from the worst fit to the best."""
    order = sorted(range(len(fits)), key=lambda at: (np.nan_to_num(fits[at].r_squared, nan=-9), at))
    places = np.unique(np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(int))
    return [order[place] for place in places]


def _histogram(axes: Any, parameter: Any, fits: list[TraceFit]) -> None:
    if parameter is None:
        values, label = [fit.r_squared for fit in fits], "R²"
    else:
        values = [fit.values[parameter.name] for fit in fits]
        label = parameter.name
    values = [value for value in values if np.isfinite(value)]
    if values:
        low, high = (
            np.percentile(values, [1, 99]) if len(values) > 20 else (min(values), max(values))
        )
        room = max((high - low) * 0.05, abs(low) * 1e-3) or 0.5
        axes.hist(values, bins=24, range=(low - room, high + room), color=_CURVE)
        axes.axvline(float(np.median(values)), color="black", lw=1)
        axes.locator_params(axis="x", nbins=4)
        label += f"\nmedian {np.median(values):.4g}"
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _trace(
    axes: Any, model: FitModel, y: str, trace: Trace, fit: TraceFit, kind: str | None
) -> None:
    hours = model.x == "time_s" and np.nanmax(trace.x, initial=0) > 2 * _HOUR_S
    unit = _HOUR_S if hours else 1.0
    axes.plot(trace.x / unit, trace.y, ".", ms=2.5, color=_POINTS)
    color = _DOUBT if fit.problem else _CURVE
    good = np.isfinite(trace.x) & np.isfinite(trace.y)
    if np.isfinite(next(iter(fit.values.values()))) and good.any():
        fine = np.linspace(trace.x[good].min(), trace.x[good].max(), 300)
        axes.plot(fine / unit, model.value(fine, fit.values), color=color, lw=1.3)
    who = f"{trace.position}, {kind} {trace.number}" if kind else trace.position
    axes.set_title(f"{who}   R² {fit.r_squared:.3f}", fontsize=8, color="black")
    if fit.problem:
        words = textwrap.fill(fit.problem, 34)
        place = {"transform": axes.transAxes, "va": "top", "fontsize": 7, "color": color}
        axes.text(0.03, 0.97, words, **place).set_in_layout(False)
    axes.set_xlabel("time, h" if hours else model.x, fontsize=7)
    axes.set_ylabel(y, fontsize=7)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
