"""What a piece of work has left behind: shared segments, processes, threads.

Owns the look before and the look after. Knows nothing of pytest, nor of the engine beyond the
runtime folder that its processes inherit. Give work that is watched a segment folder of its own
(``BEADSCOPE_SEGMENT_DIR``), or other engines' segments count as left behind.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from napari_beadscope.ring.segment import Segment, segment_names

RUNTIME_VARIABLE = "BEADSCOPE_RUNTIME_DIR"

#: Started once by the standard library and ended with the interpreter.
_LASTING_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process and its relatives hold at one moment.

    Attributes
    ----------
    segments : frozenset of str
        Names of the shared memory segments in the segment folder.
    processes : dict of int to str
        Process ID and command line of each descendant, and of each process that inherited this
        one's runtime folder and has since lost its parent.
    threads : dict of int to str
        Ident and name of each non-daemon thread.
    """

    segments: frozenset[str]
    processes: dict[int, str]
    threads: dict[int, str]

    def since(self, before: Holdings) -> tuple[str, ...]:
        """Sentences that name what is held now and was not held `before`.

        Examples
        --------
        >>> before = Holdings(frozenset(), {}, {})
        >>> Holdings(frozenset({"4f-frames"}), {}, {7: "reader"}).since(before)
        ('shared segment 4f-frames', 'thread reader')
        """
        segments = sorted(self.segments - before.segments)
        processes = [pid for pid in self.processes if pid not in before.processes]
        threads = [ident for ident in self.threads if ident not in before.threads]
        return (
            *(f"shared segment {name}" for name in segments),
            *(f"process {pid} ({self.processes[pid]})" for pid in processes),
            *(f"thread {self.threads[ident]}" for ident in threads),
        )


def look() -> Holdings:
    """Take stock of segments, processes and threads now."""
    return Holdings(frozenset(segment_names()), _processes(), _threads())


def left_behind(
    before: Holdings, *, grace_s: float = 3.0, take_stock: Callable[[], Holdings] = look
) -> tuple[str, ...]:
    """What is held now beyond `before`, once `grace_s` have passed for things to end.

    Parameters
    ----------
    before : Holdings
        What `look` returned before the work.
    grace_s : float
        Longest wait, in s. Returns at once when nothing is left.
    take_stock : callable
        Takes the second look.

    Returns
    -------
    tuple of str
        One short description for each thing; empty if nothing is left.

    Examples
    --------
    >>> left_behind(look())
    ()
    """
    deadline = time.monotonic() + grace_s
    while left := take_stock().since(before):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return ()


def end_processes(before: Holdings) -> None:
    """Kill every process that is held now and was not held `before`.

    For tests that have failed: what they started must not disturb the next one.
    """
    for pid in look().processes.keys() - before.processes.keys():
        try:
            psutil.Process(pid).kill()
        except psutil.NoSuchProcess:
            continue


def remove_segments(before: Holdings) -> None:
    """Remove every shared segment that is there now and was not there `before`."""
    for name in look().segments - before.segments:
        Segment.unlink(name)


def _processes() -> dict[int, str]:
    me = psutil.Process()
    found = {child.pid: child for child in me.children(recursive=True)}
    runtime = os.environ.get(RUNTIME_VARIABLE)
    if runtime:
        for process in psutil.process_iter():
            if process.pid not in found and process.pid != me.pid and _inherited(process, runtime):
                found[process.pid] = process
    described = {pid: _describe(process) for pid, process in found.items()}
    return {pid: text for pid, text in described.items() if text}


def _inherited(process: psutil.Process, runtime: str) -> bool:
    try:
        return process.environ().get(RUNTIME_VARIABLE) == runtime
    except (psutil.Error, OSError):
        return False  # gone, or another user's


def _describe(process: psutil.Process) -> str:
    """Command line, or '' for a process that has ended or that lasts by design."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return ""
    if any(helper in command for helper in _LASTING_HELPERS):
        return ""
    return command[:200]


def _threads() -> dict[int, str]:
    main = threading.main_thread()
    return {
        thread.ident: thread.name
        for thread in threading.enumerate()
        if thread is not main and not thread.daemon and thread.ident is not None
    }
