"""Who is measured: our backends by method, and the magtrack package as its users call it.

Owns opening them and making each the Z-LUT that is its own. Must not know scenes or figures.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.cli.bench.scenes import Sweep
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import METHODS
from napari_beadscope.tracking import (
    Backend,
    TrackResult,
    ZLut,
    build_zlut,
    list_backends,
    open_backend,
)

#: Their own packages' code, whose Z-LUT is made by their own functions too.
REFERENCES = ("magtrack", "magtrack-gpu")


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One backend with one method.

    Attributes
    ----------
    backend : Backend
    """

    backend: Backend

    @property
    def name(self) -> str:
        """Of the backend."""
        return self.backend.name

    @property
    def method(self) -> str:
        """Of the backend."""
        return self.backend.method

    @property
    def is_reference(self) -> bool:
        """Whether it is somebody else's code."""
        return self.name in REFERENCES

    def track(self, stack: np.ndarray, lut: ZLut | None) -> TrackResult:
        """Track through the backend, as in an experiment."""
        return self.backend.track(stack, lut)

    def prepared(self, stack: np.ndarray, lut: ZLut) -> Any:
        """Return a function without arguments that does the work which is timed.

        magtrack on the CPU is called by itself, on the floats in the order that it wants, so that
        nothing of ours is counted to its time.
        """
        if self.name == "magtrack":
            call = _magtrack_call(stack, lut)
            if call is not None:
                return call
        return lambda: self.backend.track(stack, lut)


class Zluts:
    """The Z-LUTs of one sweep, each made when it is asked for first.

    The method "precise" gets what `build_zlut` makes of the sweep; magtrack, and what promises
    its numbers, what magtrack's own functions make of it.

    Parameters
    ----------
    sweep : Sweep
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._made: dict[str, ZLut] = {}

    def of(self, one: Contestant) -> ZLut:
        """Return the Z-LUT of a contestant."""
        who = one.method if one.method == "precise" else "magtrack"
        if who not in self._made:
            if who == "magtrack":
                self._made[who] = magtrack_zlut(self._sweep)
            else:
                self._made[who] = build_zlut(self._sweep.stack, self._sweep.z_nm)
        return self._made[who]


def contestants(
    backends: tuple[str, ...] = (), methods: tuple[str, ...] = (), threads: int = 1
) -> list[Contestant]:
    """Return every backend that can run here with every method that it knows.

    Parameters
    ----------
    backends, methods : tuple of str
        Only these; all if empty. The reference on the CPU is always among them, as all else is
        compared with it.

    Raises
    ------
    InputError
        There is no such backend or method.
    TrackingError
        A backend that was asked for cannot run here.
    """
    known = {info.name: info for info in list_backends()}
    for name in backends:
        if name not in known:
            raise InputError(f"there is no tracking backend {name!r}", f"choose {', '.join(known)}")
    for method in methods:
        if method not in METHODS:
            raise InputError(
                f"there is no tracking method {method!r}", f"choose {' or '.join(METHODS)}"
            )
    return [
        Contestant(open_backend(info.name, method=method, threads=threads))
        for info in known.values()
        for method in info.methods
        if info.name == "magtrack"
        or (
            (info.name in backends if backends else info.available)
            and (not methods or method in methods)
        )
    ]


def magtrack_zlut(sweep: Sweep) -> ZLut:
    """Return magtrack's Z-LUT of a sweep: the mean of its radial profiles about its centres."""
    magtrack = import_magtrack()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        profiles = magtrack.stack_to_xyzp(_as_magtrack_wants(sweep.stack))[3].T
        heights = np.unique(sweep.z_nm)
        planes = np.stack([np.nanmean(profiles[sweep.z_nm == z], axis=0) for z in heights])
    return ZLut(heights, planes)


def import_magtrack() -> Any:
    """Import magtrack, keeping its effects on numpy and on warnings from everybody else."""
    with np.errstate(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import magtrack
    return magtrack


def _as_magtrack_wants(stack: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(stack.transpose(1, 2, 0).astype(np.float64))


def _magtrack_call(stack: np.ndarray, lut: ZLut) -> Any:
    """Return magtrack's own call, or None if it cannot take this stack: one ROI spoils it all."""
    magtrack = import_magtrack()
    floats, table = _as_magtrack_wants(stack), lut.table()

    def call() -> Any:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return magtrack.stack_to_xyzp(floats, table)

    try:
        call()
    except (IndexError, ValueError):
        return None
    return call
