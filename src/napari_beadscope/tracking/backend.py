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


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    label: str
    module: str
    factory: str
    why_not: str  # function of the module that returns '' or the reason why it cannot run here


_HOME = "napari_beadscope.tracking"
_ENTRIES = (
    _Entry("cpu", "compiled kernels on the CPU", f"{_HOME}.compiled", "CpuBackend", "why_not"),
    _Entry(
        "magtrack", "magtrack package on the CPU", f"{_HOME}.reference", "on_cpu", "why_not_cpu"
    ),
    _Entry(
        "magtrack-gpu", "magtrack package on a GPU", f"{_HOME}.reference", "on_gpu", "why_not_gpu"
    ),
)
#: What "auto" tries, best first.
_AUTO = ("cpu", "magtrack")


def list_backends() -> tuple[BackendInfo, ...]:
    """Return every backend by name, and for those that cannot run here the reason why.

    Examples
    --------
    >>> [info.name for info in list_backends()]
    ['cpu', 'magtrack', 'magtrack-gpu']
    """
    return tuple(_info(entry) for entry in _ENTRIES)


def open_backend(name: str = "auto", *, threads: int = 1) -> Backend:
    """Return the backend called `name`.

    Parameters
    ----------
    name : str
        "auto" or a name from `list_backends`.
    threads : int
        Threads over which a batch is spread, by backends that can (results do not depend on it).

    Raises
    ------
    InputError
        If there is no such backend.
    TrackingError
        If it cannot run on this machine.
    """
    if name == "auto":
        return _open_best(threads)
    for entry in _ENTRIES:
        if entry.name == name:
            info = _info(entry)
            if not info.available:
                raise TrackingError(f"the tracking backend {name!r} cannot run here", info.why_not)
            backend: Backend = getattr(import_module(entry.module), entry.factory)(threads)
            return backend
    names = ", ".join(entry.name for entry in _ENTRIES)
    raise InputError(f"there is no tracking backend {name!r}", f"choose auto, {names}")


def backend_name(name: str) -> str:
    """Return the name of the backend that `open_backend` opens for `name`, without opening it."""
    if name != "auto":
        return name
    can = [entry.name for entry in _ENTRIES if entry.name in _AUTO and _info(entry).available]
    return can[0] if can else name


def _open_best(threads: int) -> Backend:
    reasons = []
    for entry in _ENTRIES:
        if entry.name in _AUTO:
            info = _info(entry)
            if info.available:
                _log.info("tracking backend: %s (%s)", entry.name, entry.label)
                return open_backend(entry.name, threads=threads)
            reasons.append(f"{entry.name}: {info.why_not}")
    raise TrackingError("no tracking backend can run here", "; ".join(reasons))


def _info(entry: _Entry) -> BackendInfo:
    why_not: str = getattr(import_module(entry.module), entry.why_not)()
    return BackendInfo(entry.name, entry.label, available=not why_not, why_not=why_not)
