"""The seam between the product and the ways to track: a Protocol, and a registry that is data.

Must not import a backend before it is asked for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np

from napari_beadscope.core.errors import InputError, TrackingError
from napari_beadscope.core.types import METHODS
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.zlut import ZLut

_log = logging.getLogger(__name__)


@runtime_checkable
class Backend(Protocol):
    """Something that turns crops into positions. Every method may be called from any thread."""

    @property
    def name(self) -> str:
        """The name in the registry."""

    @property
    def method(self) -> str:
        """Which of `METHODS` it was opened with."""

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:0"."""

    def warm_up(self, size_px: int, dtype: str, zlut: ZLut | None) -> None:
        """Do everything slow (compile, load, allocate) for such ROIs now."""

    def track(self, stack: np.ndarray, zlut: ZLut | None) -> TrackResult:
        """Track ``(n, y, x)`` square crops of uint8, uint16, float32 or float64.

        Never raises for bad pixels: those rows are NaN with a reason, the others unharmed.
        """


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One line of the list a user chooses from; ``why_not`` is '' when it is available."""

    name: str
    label: str
    available: bool
    why_not: str
    methods: tuple[str, ...] = METHODS


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    label: str
    module: str
    factory: str  # called with method=, threads=
    why_not: str  # function of the module that returns '' or the reason why it cannot run here
    methods: tuple[str, ...] = METHODS


_HOME = "napari_beadscope.tracking"
_ENTRIES = (
    _Entry("gpu", "compiled kernels on a CUDA GPU", f"{_HOME}.fallback", "GpuOrCpu", "why_not"),
    _Entry("cpu", "compiled kernels on the CPU", f"{_HOME}.compiled", "CpuBackend", "why_not"),
    _Entry(
        "magtrack",
        "magtrack package on the CPU",
        f"{_HOME}.reference",
        "on_cpu",
        "why_not_cpu",
        ("magtrack-compatible",),
    ),
    _Entry(
        "magtrack-gpu",
        "magtrack package on a GPU",
        f"{_HOME}.reference",
        "on_gpu",
        "why_not_gpu",
        ("magtrack-compatible",),
    ),
)
#: What "auto" tries, best first.
_AUTO = ("gpu", "cpu", "magtrack")


def list_backends() -> tuple[BackendInfo, ...]:
    """Return every backend by name, and for those that cannot run here the reason why.

    Examples
    --------
    >>> [info.name for info in list_backends()]
    ['gpu', 'cpu', 'magtrack', 'magtrack-gpu']
    """
    return tuple(_info(entry) for entry in _ENTRIES)


def open_backend(name: str = "auto", *, method: str = "precise", threads: int = 1) -> Backend:
    """Return the backend called `name`, to track with `method`.

    Parameters
    ----------
    name : str
        "auto" or a name from `list_backends`.
    method : str
        One of `METHODS`: "precise", or "magtrack-compatible" for magtrack's numbers.
    threads : int
        Threads over which a batch is spread, by backends that can (results do not depend on it).

    Raises
    ------
    InputError
        If there is no such backend or method, or the backend does not know the method.
    TrackingError
        If it cannot run on this machine.

    Examples
    --------
    >>> open_backend("cpu", method="magtrack-compatible").method
    'magtrack-compatible'
    """
    tried = candidates(name, method)
    for info in tried:
        if info.available:
            _log.info("tracking backend: %s (%s), method %s", info.name, info.label, method)
            entry = _entry(info.name)
            factory = getattr(import_module(entry.module), entry.factory)
            backend: Backend = factory(method=method, threads=threads)
            return backend
    raise no_backend(name, tried)


def candidates(name: str, method: str) -> tuple[BackendInfo, ...]:
    """Return what `name` stands for, best first: itself, or all that "auto" tries for `method`.

    Raises
    ------
    InputError
        If there is no such backend or method, or the backend does not know the method.
    """
    check_method(method)
    if name == "auto":
        return tuple(_info(one) for one in map(_entry, _AUTO) if method in one.methods)
    entry = _entry(name)
    if method not in entry.methods:
        raise InputError(
            f"the tracking backend {name!r} does not know the method {method!r}",
            f"use --method {' or '.join(entry.methods)}, or another backend",
        )
    return (_info(entry),)


def no_backend(name: str, tried: tuple[BackendInfo, ...]) -> TrackingError:
    """Return the error that says why none of `tried`, which `name` stands for, can run."""
    if name != "auto":
        what = f"the tracking backend {name!r} cannot run here"
        return TrackingError(what, tried[0].why_not)
    reasons = [f"{info.name}: {info.why_not}" for info in tried]
    return TrackingError("no tracking backend can run here", "; ".join(reasons))


def check_method(method: str) -> None:
    """Raise `InputError` unless `method` is one of `METHODS`."""
    if method not in METHODS:
        raise InputError(
            f"there is no tracking method {method!r}", f"choose {' or '.join(METHODS)}"
        )


def backend_name(name: str, method: str = "precise") -> str:
    """Return the name of the backend that `open_backend` opens for `name`, without opening it."""
    if name != "auto":
        return name
    return next((info.name for info in candidates(name, method) if info.available), name)


def _entry(name: str) -> _Entry:
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    names = ", ".join(entry.name for entry in _ENTRIES)
    raise InputError(f"there is no tracking backend {name!r}", f"choose auto, {names}")


def _info(entry: _Entry) -> BackendInfo:
    why_not: str = getattr(import_module(entry.module), entry.why_not)()
    return BackendInfo(
        entry.name, entry.label, available=not why_not, why_not=why_not, methods=entry.methods
    )
