"""The curves that traces are fitted with. Must not know how they are fitted.

Each is data: its parameters with unit, meaning and bounds, a function, and starting points found
from a trace.

Sources: `maturation` has the stages and default rates that PyAMA takes from
doi:10.1016/j.nano.2019.102077, table 1; `worm-like-chain` is the interpolation of J. F. Marko and
E. D. Siggia, Macromolecules 28 (1995) 8759, with the correction of C. Bouchiat et al., Biophys. J.
76 (1999) 409.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

BOLTZMANN_PN_NM_PER_K = 1.380649e-2
_HOUR_S = 3600.0
# Of the polynomial that corrects Marko and Siggia's interpolation, from the second power on.
_BOUCHIAT = (-0.5164228, -2.737418, 16.07497, -38.87607, 39.49944, -14.17718)

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a curve.

    Attributes
    ----------
    name, unit, meaning : str
        As in tables and help; the unit is '' for that of y.
    lower, upper : float
        Bounds; infinite for none.
    fixed : float or None
        Value that it keeps unless it is freed; None: it is found.
    """

    name: str
    unit: str
    meaning: str
    lower: float = -math.inf
    upper: float = math.inf
    fixed: float | None = None


@dataclass(frozen=True, slots=True)
class FitModel:
    """A curve ``y(x)``.

    Attributes
    ----------
    name, meaning : str
        As in tables and help.
    x, y : str
        Columns of a table that it is meant for; y may be '' for any.
    parameters : tuple of Parameter
        In the order of tables.
    value : callable
        ``value(x, values) -> y``, float64 (n,).
    starts : callable
        ``starts(x, y, fixed) -> starting points``, each a value for every parameter.
    """

    name: str
    meaning: str
    x: str
    y: str
    parameters: tuple[Parameter, ...]
    value: Callable[[np.ndarray, Values], np.ndarray]
    starts: Callable[[np.ndarray, np.ndarray, Values], list[dict[str, float]]]


def exponential(x: np.ndarray, at: Values) -> np.ndarray:
    """Return ``offset + amplitude exp(-(x - first x) / time_constant)``.

    Examples
    --------
    >>> exponential(np.array([0.0, 2.0]), {"amplitude": 3, "time_constant_s": 2, "offset": 1})
    array([4.        , 2.10363832])
    """
    decay = np.exp(-np.minimum((x - x.min()) / at["time_constant_s"], 700.0))
    return np.asarray(at["offset"] + at["amplitude"] * decay)


def growth(x: np.ndarray, at: Values) -> np.ndarray:
    """Return ``start exp(rate (x - first x))``.

    Examples
    --------
    >>> growth(np.array([0.0, 3600.0]), {"start": 2.0, "rate_per_h": 0.0})
    array([2., 2.])
    """
    power = np.clip(at["rate_per_h"] * (x - x.min()) / _HOUR_S, -700.0, 700.0)
    return np.asarray(at["start"] * np.exp(power))


def maturation(x: np.ndarray, at: Values) -> np.ndarray:
    """Return the light of a protein that is made from decaying mRNA and must mature.

    From the onset on mRNA decays, makes protein at a rate that begins with ``production``, which
    matures and is degraded both before and after. The three exponentials of the solution are its
    second divided difference, which is finite where two of their rates are equal.

    Examples
    --------
    >>> rates = {"production_per_h": 100.0, "decay_per_h": 0.0, "degradation_per_h": 0.0}
    >>> maturation(np.array([0.0, 36e3]), {"onset_s": 0.0, "maturation_per_h": 1e3, "offset": 0.0,
    ...            **rates}).round()
    array([  0., 1000.])
    """
    hours = np.maximum(x - at["onset_s"], 0.0) / _HOUR_S
    matures, lost = at["maturation_per_h"], at["degradation_per_h"]
    low, middle, high = sorted((lost, lost + matures, at["decay_per_h"]))
    bent = _difference(hours, middle, high) - _difference(hours, low, middle)
    span = max(high - low, 1e-12)
    return np.asarray(at["offset"] + at["production_per_h"] * matures * bent / span)


def worm_like_chain(x: np.ndarray, at: Values) -> np.ndarray:
    """Return the extension, nm, of a chain under the forces `x`, pN.

    Examples
    --------
    >>> dna = {"contour_nm": 1000.0, "persistence_nm": 50.0, "stretch_pn": np.inf,
    ...        "temperature_k": 298.15, "offset_nm": 0.0}
    >>> worm_like_chain(np.array([0.0, 0.1, 1.0, 10.0]), dna).round()
    array([  0., 531., 856., 955.])
    """
    thermal = BOLTZMANN_PN_NM_PER_K * at["temperature_k"]
    part = _relative_extension(np.maximum(x, 0.0) * at["persistence_nm"] / thermal)
    return np.asarray(at["contour_nm"] * (part + x / at["stretch_pn"]) + at["offset_nm"])


def _difference(hours: np.ndarray, one: float, other: float) -> np.ndarray:
    """Return the divided difference of ``exp(-rate hours)`` between two rates."""
    steps = (other - one) * hours
    safe = np.where(np.abs(steps) > 1e-8, steps, 1.0)
    ratio = np.where(np.abs(steps) > 1e-8, -np.expm1(-safe) / safe, 1.0 - steps / 2)
    return np.asarray(-hours * np.exp(-one * hours) * ratio)


def _scaled_force(part: np.ndarray) -> np.ndarray:
    """Return force times persistence length over kT at a relative extension below 1."""
    correction = sum(a * part**power for power, a in enumerate(_BOUCHIAT, start=2))
    return np.asarray(0.25 / (1 - part) ** 2 - 0.25 + part + correction)


def _relative_extension(force: np.ndarray) -> np.ndarray:
    """Return the inverse of `_scaled_force`: a table, then Newton's steps."""
    known, part = _known_extensions()
    found = np.interp(np.minimum(force, known[-1]), known, part)
    for _ in range(4):
        slope = 0.5 / (1 - found) ** 3 + 1
        slope = slope + sum(k * a * found ** (k - 1) for k, a in enumerate(_BOUCHIAT, start=2))
        found = np.clip(found + (force - _scaled_force(found)) / slope, 0.0, 1 - 1e-9)
    return np.asarray(found)


@cache
def _known_extensions() -> tuple[np.ndarray, np.ndarray]:
    """Return scaled forces, rising, and the relative extensions at them, dense near 1."""
    part = np.concatenate([np.linspace(0.0, 0.9, 900), 1 - np.geomspace(0.0999, 1e-7, 1500)])
    return _scaled_force(part), part


def _linear(columns: list[np.ndarray], y: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the factors of `columns` that come nearest to y, and what is left."""
    shapes = np.stack(columns, axis=1)
    scale = np.maximum(np.abs(shapes).max(axis=0), 1e-300)
    factors = np.linalg.lstsq(shapes / scale, y, rcond=None)[0] / scale
    return factors, float(np.sum((shapes @ factors - y) ** 2))


def _best(found: list[tuple[float, dict[str, float]]], keep: int = 3) -> list[dict[str, float]]:
    return [values for _, values in sorted(found, key=lambda pair: pair[0])[:keep]]


def _start_exponential(x: np.ndarray, y: np.ndarray, fixed: Values) -> list[dict[str, float]]:
    span, found = float(np.ptp(x)), []
    for part in (0.02, 0.07, 0.2, 0.6, 2.0, 6.0):
        constant = fixed.get("time_constant_s", part * span)
        shape = np.exp(-np.minimum((x - x.min()) / constant, 700.0))
        (amplitude, offset), left = _linear([shape, np.ones_like(x)], y)
        guess = {"amplitude": amplitude, "time_constant_s": constant, "offset": offset}
        found.append((left, {**guess, **fixed}))
    return _best(found)


def _start_growth(x: np.ndarray, y: np.ndarray, fixed: Values) -> list[dict[str, float]]:
    positive = y > 0
    guess = {"start": float(np.mean(y)), "rate_per_h": 0.0}
    if positive.sum() > 2 and np.ptp(x[positive]) > 0:
        rate, log = np.polyfit((x[positive] - x.min()) / _HOUR_S, np.log(y[positive]), 1)
        guess = {"start": float(np.exp(log)), "rate_per_h": float(rate)}
    return [{**guess, **fixed}]


def _start_maturation(x: np.ndarray, y: np.ndarray, fixed: Values) -> list[dict[str, float]]:
    span, found = float(np.ptp(x)), []
    hours = span / _HOUR_S
    for part in (-0.1, 0.0, 0.1, 0.25, 0.4, 0.6):
        for decay in (0.3, 1.0, 3.0, 10.0):
            guess = {
                "onset_s": x.min() + part * span,
                "production_per_h": 1.0,
                "decay_per_h": decay / hours,
                "maturation_per_h": 1.28,
                "degradation_per_h": 0.1 / hours,
                "offset": 0.0,
                **fixed,
            }
            (production, offset), left = _linear([maturation(x, guess), np.ones_like(x)], y)
            made = {"production_per_h": max(production, 0.0), "offset": offset}
            found.append((left, {**guess, **made, **fixed}))
    return _best(found)


def _start_chain(x: np.ndarray, y: np.ndarray, fixed: Values) -> list[dict[str, float]]:
    found = []
    for persistence in (0.5, 5.0, 50.0, 200.0):
        guess = {
            "contour_nm": 1.0,
            "persistence_nm": persistence,
            "stretch_pn": 1000.0,
            "temperature_k": 298.15,
            "offset_nm": 0.0,
            **fixed,
        }
        shape = worm_like_chain(x, {**guess, "contour_nm": 1.0, "offset_nm": 0.0})
        (contour,), left = _linear([shape], y)
        found.append((left, {**guess, "contour_nm": max(contour, 1e-3), **fixed}))
    return _best(found, 2)


EXPONENTIAL = FitModel(
    "exponential",
    "offset + amplitude · exp(-t / time constant), from the first time on",
    "time_s",
    "",
    (
        Parameter("amplitude", "", "what decays, at the first time"),
        Parameter("time_constant_s", "s", "time in which it falls to 1/e", lower=1e-9),
        Parameter("offset", "", "what is left"),
    ),
    exponential,
    _start_exponential,
)
GROWTH = FitModel(
    "growth",
    "start · exp(rate · t), from the first time on",
    "time_s",
    "",
    (
        Parameter("start", "", "value at the first time"),
        Parameter("rate_per_h", "1/h", "growth rate; negative for decay"),
    ),
    growth,
    _start_growth,
)
MATURATION = FitModel(
    "maturation",
    "expression after an onset: mRNA decays, protein is made, matures and is degraded",
    "time_s",
    "intensity_total_c1",
    (
        Parameter("onset_s", "s", "when protein begins to be made"),
        Parameter("production_per_h", "per h", "first rate of making protein", 0.0),
        Parameter("decay_per_h", "1/h", "decay of mRNA", 1e-5, 11.0),
        Parameter("maturation_per_h", "1/h", "maturation of the protein", 1e-3, 30.0, fixed=1.28),
        Parameter("degradation_per_h", "1/h", "loss of protein", 0.0, 10.0, fixed=5.22e-3),
        Parameter("offset", "", "light without any protein"),
    ),
    maturation,
    _start_maturation,
)
WORM_LIKE_CHAIN = FitModel(
    "worm-like-chain",
    "extension of a polymer by the force that pulls it",
    "force_pn",
    "extension_nm",
    (
        Parameter("contour_nm", "nm", "length of the chain when straight", 1e-3, 1e8),
        Parameter("persistence_nm", "nm", "length over which it stays straight", 1e-3, 1e5),
        Parameter("stretch_pn", "pN", "stretch modulus", 10.0, 1e6, fixed=math.inf),
        Parameter("temperature_k", "K", "temperature", 200.0, 400.0, fixed=298.15),
        Parameter("offset_nm", "nm", "where the extension is zero", fixed=0.0),
    ),
    worm_like_chain,
    _start_chain,
)
