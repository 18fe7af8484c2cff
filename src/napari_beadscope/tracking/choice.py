"""What "auto" comes down to on this machine: backend, threads, batch size, and why.

Must not know who tracks what; a caller says how many others share the cores.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from napari_beadscope.tracking.backend import Backend, candidates, no_backend, open_backend
from napari_beadscope.tracking.gpu_memory import nvidia_here

#: ROIs that one call of the CPU backend should get per thread, so that splitting pays.
_ROIS_PER_THREAD = 1024
_ROIS_PER_GPU = 4096
#: Beads per frame below which one core is done about when a batch would have reached the GPU.
_GPU_PAYS_BEADS = 32


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend to open, and how to feed it.

    Attributes
    ----------
    name, method : str
        For `open_backend`.
    threads : int
        For `open_backend`.
    batch_rois : int
        ROIs to collect for one call where many wait.
    why : str
        Why this one, in words for people.
    """

    name: str
    method: str
    threads: int
    batch_rois: int
    why: str

    @property
    def sentence(self) -> str:
        """Name, method and why.

        Examples
        --------
        >>> Choice("cpu", "precise", 2, 1024, "no CUDA device found; 2 cores").sentence
        'cpu, precise (no CUDA device found; 2 cores)'
        """
        return f"{self.name}, {self.method} ({self.why})"

    def open(self) -> Backend:
        """Open it; raises what `open_backend` raises."""
        return open_backend(self.name, method=self.method, threads=self.threads)


def choose_backend(
    name: str = "auto",
    *,
    method: str = "precise",
    spare: int = 0,
    sharers: int = 1,
    beads: int | None = None,
) -> Choice:
    """Choose backend, threads and batch size from what the machine has.

    Parameters
    ----------
    name : str
        "auto", or a name from `list_backends`, which is then taken.
    method : str
        One of `METHODS`.
    spare : int
        Cores that are left to others.
    sharers : int
        Processes that track side by side and share the rest.
    beads : int, optional
        How many there are in a frame; with few of them "auto" leaves a GPU alone.

    Raises
    ------
    InputError
        If there is no such backend or method, or the backend does not know the method.
    TrackingError
        If it, or with "auto" none, can run on this machine.

    Examples
    --------
    >>> choose_backend("cpu", method="magtrack-compatible").sentence.startswith("cpu, magtrack-c")
    True
    """
    tried = candidates(name, method)
    few = name == "auto" and beads is not None and few_for_gpu(beads)
    chosen = next((one for one in tried if one.available and not (few and one.name == "gpu")), None)
    if chosen is None:
        raise no_backend(name, tried)
    cores = usable_cores()
    on_gpu = "gpu" in chosen.name
    threads = max(1, (cores - spare) // max(1, sharers))  # the GPU's are for when it fails
    rois = _ROIS_PER_GPU if on_gpu else _ROIS_PER_THREAD * threads
    skipped = [one.why_not or "few beads for a GPU" for one in tried[: tried.index(chosen)]]
    if skipped and not nvidia_here():
        skipped = ["no GPU"]  # nothing the user could do; `list_backends` has the reason in full
    machine = [] if on_gpu else [f"{cores} core{'s' if cores > 1 else ''}"]
    asked = [] if name == "auto" else ["asked for"]
    return Choice(chosen.name, method, threads, rois, "; ".join([*asked, *skipped, *machine]))


def few_for_gpu(beads: int) -> bool:
    """Return whether "auto" tracks so many beads per frame on the CPU, GPU or not."""
    return beads < _GPU_PAYS_BEADS


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
