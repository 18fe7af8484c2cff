"""Fits of curves to traces: values, errors, R², and why a fit is not to be trusted.

Owns the registry of curves, bounds and least squares. Must not know tables or files.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_beadscope.analysis.fit_models import FitModel, Parameter
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.own_code import own_module

_MODULE = "napari_beadscope.analysis.fit_models"
#: Curves by name, loaded when they are asked for.
REGISTRY = {
    "exponential": f"{_MODULE}:EXPONENTIAL",
    "growth": f"{_MODULE}:GROWTH",
    "maturation": f"{_MODULE}:MATURATION",
    "worm-like-chain": f"{_MODULE}:WORM_LIKE_CHAIN",
}
_NEAR_BOUND = 1e-6


@dataclass(frozen=True, slots=True)
class TraceFit:
    """A curve through one trace.

    Attributes
    ----------
    model : str
        Its name.
    values, errors : dict of str to float
        Of each parameter. A standard error takes every point as independent; NaN for a parameter
        that was fixed, lies at a bound, or is not told by the trace.
    r_squared : float
        Part of the variance that the curve explains; NaN for a trace that does not vary.
    residual : float
        Standard deviation of what it leaves, in units of y.
    points : int
        How many were used.
    problem : str
        Why the fit is not to be trusted; '' if it is.
    """

    model: str
    values: dict[str, float]
    errors: dict[str, float]
    r_squared: float
    residual: float
    points: int
    problem: str = ""


def find_model(name: str) -> FitModel:
    """Return a curve of the registry, or ``FILE.py:NAME``, a `FitModel` of one's own.

    Raises
    ------
    InputError
        There is none; the others are named.

    Examples
    --------
    >>> [parameter.name for parameter in find_model("growth").parameters]
    ['start', 'rate_per_h']
    """
    if name in REGISTRY:
        module, _, attribute = REGISTRY[name].partition(":")
        model = getattr(importlib.import_module(module), attribute)
        assert isinstance(model, FitModel)
        return model
    file, _, attribute = name.rpartition(":")
    if file.endswith(".py") and attribute:
        return _own(Path(file).expanduser(), attribute)
    known = ", ".join(REGISTRY)
    raise InputError(f"there is no curve '{name}'", f"use {known}, or FILE.py:NAME of your own")


def adjusted(
    model: FitModel,
    fixed: Mapping[str, float] | None = None,
    free: Iterable[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> FitModel:
    """Return the curve with other parameters fixed or freed, or within other bounds.

    Raises
    ------
    InputError
        There is no such parameter, a value lies outside the bounds, or nothing is left to find.

    Examples
    --------
    >>> model = adjusted(find_model("exponential"), fixed={"offset": 0.0})
    >>> model.parameters[2].fixed
    0.0
    """
    fixed, free, bounds = dict(fixed or {}), set(free), dict(bounds or {})
    names = [parameter.name for parameter in model.parameters]
    for name in [*fixed, *free, *bounds]:
        if name not in names:
            raise InputError(
                f"the curve {model.name} has no parameter '{name}'", f"it has {', '.join(names)}"
            )
    parameters = tuple(_changed(each, fixed, free, bounds) for each in model.parameters)
    if all(parameter.fixed is not None for parameter in parameters):
        raise InputError(f"all of {model.name} is fixed", "leave a parameter to be found")
    return replace(model, parameters=parameters)


def fit_trace(x: np.ndarray, y: np.ndarray, model: FitModel) -> TraceFit:
    """Fit one trace by least squares, from several starting points, within bounds.

    Parameters
    ----------
    x, y : ndarray (n,)
        The trace, in the units that the model says; pairs with NaN are left out.
    model : FitModel
        From `find_model`, perhaps `adjusted`.

    Returns
    -------
    TraceFit
        One that says so in `problem` where the trace does not tell; never an exception for that.

    Raises
    ------
    InputError
        x and y are not two series of one length.

    Examples
    --------
    >>> t = np.linspace(0.0, 10.0, 50)
    >>> found = fit_trace(t, 5.0 * np.exp(-t / 2.0) + 1.0, find_model("exponential"))
    >>> round(found.values["time_constant_s"], 6), round(found.r_squared, 6)
    (2.0, 1.0)
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(
            f"x {x.shape} and y {y.shape} are not one trace", "give two series of one length"
        )
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    wanted = [each for each in model.parameters if each.fixed is None]
    if len(x) <= len(wanted) or np.ptp(x) == 0:
        needs = f"{len(wanted) + 1} at different {model.x}"
        return _none(model, len(x), f"{len(x)} points are too few, {needs} are needed")
    best, values = _least(x, y, model, wanted)
    if best is None:
        return _none(model, len(x), "no curve comes near, from any starting point")
    squares = float(np.sum((model.value(x, values) - y) ** 2))
    spread = float(np.sum((y - y.mean()) ** 2))
    told, at_bounds = _errors(best, wanted, squares, len(x))
    problem = f"at its bound: {', '.join(at_bounds)}" if at_bounds else ""
    unknown = [each.name for each in wanted if math.isnan(told[each.name])]
    if unknown and not problem:
        problem = f"not told by the trace: {', '.join(unknown)}"
    if not spread > 1e-24 * float(np.sum(y**2)):
        problem = "the trace does not vary"
    return TraceFit(
        model.name,
        {each.name: values[each.name] for each in model.parameters},
        {each.name: told.get(each.name, math.nan) for each in model.parameters},
        1 - squares / spread if spread > 0 else math.nan,
        math.sqrt(squares / (len(x) - len(wanted))),
        len(x),
        problem,
    )


def _least(
    x: np.ndarray, y: np.ndarray, model: FitModel, wanted: list[Parameter]
) -> tuple[tuple[np.ndarray, np.ndarray] | None, dict[str, float]]:
    """Return the best values and the curve's slopes there, and all values by name."""
    from scipy.optimize import least_squares

    fixed = {each.name: each.fixed for each in model.parameters if each.fixed is not None}
    low = np.array([each.lower for each in wanted])
    high = np.array([each.upper for each in wanted])
    scale = float(np.ptp(y)) or float(np.abs(y).max()) or 1.0

    def named(values: np.ndarray) -> dict[str, float]:
        return {**fixed, **dict(zip((each.name for each in wanted), map(float, values)))}

    def left(values: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            off = (model.value(x, named(values)) - y) / scale
        return np.where(np.isfinite(off), off, 1e6)

    best, least = None, math.inf
    for start in model.starts(x, y, fixed):
        begin = np.clip([start[each.name] for each in wanted], low, high)
        if not np.isfinite(begin).all():
            continue
        step = {"bounds": (low, high), "x_scale": "jac", "ftol": 1e-12, "xtol": 1e-12}
        found = least_squares(left, begin, gtol=1e-12, max_nfev=300, **step)
        if found.cost < least * (1 - 1e-9) and np.isfinite(found.x).all():
            best, least = (found.x, found.jac * scale), found.cost
    return best, named(best[0]) if best is not None else {}


def _errors(
    best: tuple[np.ndarray, np.ndarray], wanted: list[Parameter], squares: float, points: int
) -> tuple[dict[str, float], list[str]]:
    """Return standard errors by name, and which parameters lie at a bound."""
    values, slopes = best
    at_bound = np.array([_at_bound(float(v), each) for v, each in zip(values, wanted)], bool)
    errors = np.full(len(values), math.nan)
    inner = slopes[:, ~at_bound]
    if inner.shape[1]:
        variance = squares / (points - len(values))
        errors[~at_bound] = np.sqrt(variance) * _spread(inner)
    told = dict(zip((each.name for each in wanted), errors.tolist()))
    return told, [each.name for each, bound in zip(wanted, at_bound) if bound]


def _spread(slopes: np.ndarray) -> np.ndarray:
    """Return how far each parameter may be off per unit of noise; NaN for what has no effect."""
    size = np.sqrt(np.sum(slopes**2, axis=0))
    telling = size > 0
    spread = np.full(len(size), math.nan)
    if telling.any():
        _, singular, turned = np.linalg.svd(slopes[:, telling] / size[telling], False)
        sound = singular > 1e-7 * singular[0]
        spread[telling] = np.sqrt(np.sum((turned[sound].T / singular[sound]) ** 2, 1))
        spread[telling] /= size[telling]
        mixed = (np.abs(turned[~sound]) > 1e-3).any(axis=0)  # with others, to no effect
        spread[np.flatnonzero(telling)[mixed]] = math.nan
    return spread


def _at_bound(value: float, parameter: Parameter) -> bool:
    width = parameter.upper - parameter.lower
    near = _NEAR_BOUND * (min(width, abs(value) + 1e-9) if math.isfinite(width) else abs(value))
    return value - parameter.lower <= near or parameter.upper - value <= near


def _none(model: FitModel, points: int, problem: str) -> TraceFit:
    nothing = {each.name: math.nan for each in model.parameters}
    return TraceFit(model.name, nothing, dict(nothing), math.nan, math.nan, points, problem)


def _changed(
    parameter: Parameter,
    fixed: Mapping[str, float],
    free: set[str],
    bounds: Mapping[str, tuple[float, float]],
) -> Parameter:
    name = parameter.name
    low, high = bounds.get(name, (parameter.lower, parameter.upper))
    if not low < high:
        raise InputError(f"{name} cannot lie between {low:g} and {high:g}", "give low, then high")
    value = None if name in free else fixed.get(name, parameter.fixed)
    if name in bounds and name not in fixed:
        value = None
    chosen = name in fixed and name not in free
    if chosen and value is not None and not low <= value <= high and value != parameter.fixed:
        raise InputError(
            f"{name} cannot be {value:g}", f"give {low:g} to {high:g} {parameter.unit}".rstrip()
        )
    return replace(parameter, lower=low, upper=high, fixed=value)


def _own(path: Path, attribute: str) -> FitModel:
    """Return a curve from a file of the user's."""
    module = own_module(path, again=True)
    model = getattr(module, attribute, None)
    if not isinstance(model, FitModel):
        raise InputError(f"{path} has no FitModel called {attribute}", "define one, or check it")
    return model
