"""A run as a process of its own, which outlives whoever started it.

Owns starting it, finding it again by the folder that it writes into, and asking it to end. Must
not know what is computed, nor who looks on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from napari_beadscope.batch.run_lock import NAME as LOCK_NAME
from napari_beadscope.batch.run_lock import is_running
from napari_beadscope.core.errors import InputError
from napari_beadscope.engine.processes import background_flags
from napari_beadscope.wire import runtime_folder

#: A run that is stopped has this long to end by itself; then it is killed, which loses nothing
#: but what was being computed.
PATIENCE_S = 5.0
#: Whether a run can be asked to finish what it has begun.
CAN_DRAIN = os.name == "posix"
_KEPT_S = 7 * 86_400
_MOST_WORDS = 4_000


class StartedRun:
    """A run that this process has started.

    Attributes
    ----------
    plan : Path
        What it carries out.
    pid : int
        Its process.
    """

    def __init__(self, plan: Path, process: subprocess.Popen, log: Path) -> None:
        self.plan, self.pid = plan, process.pid
        self._process, self._log = process, log
        # Somebody has to take note of its end.
        threading.Thread(target=process.wait, name="batch-end", daemon=True).start()

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it goes on."""
        return self._process.poll()

    def said(self) -> str:
        """Return the end of what it has printed."""
        with contextlib.suppress(OSError):
            return self._log.read_text(encoding="utf-8", errors="replace")[-_MOST_WORDS:].strip()
        return ""


def start_run(plan: Path, output: Path | None = None) -> StartedRun:
    """Carry out a plan, ``beadscope batch run PLAN``, in a process that nobody's end touches.

    Parameters
    ----------
    plan : Path
        The plan.
    output : Path, optional
        Folder of the results instead of the plan's.

    Raises
    ------
    InputError
        There is no such file.
    """
    plan = plan.expanduser().absolute()
    if not plan.is_file():
        raise InputError(f"no plan at {plan}", "choose another")
    log = _folder() / f"{secrets.token_hex(4)}.log"
    where = [] if output is None else ["--output", str(output)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_beadscope", "batch", "run", str(plan), *where],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=plan.parent,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
            **background_flags(),
        )
    return StartedRun(plan, process, log)


def process_of(folder: Path, pid: int = 0) -> int:
    """Return the process of the run that writes into a batch's folder, 0 if there is none.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    pid : int
        The process that it is likely to be. A number may belong to another process by now: the
        run is the one that has the folder's lock open.
    """
    import psutil

    if not is_running(folder):
        return 0
    lock = str((folder / LOCK_NAME).resolve())
    if _has_open(pid, lock):
        return pid
    ours = (
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if any("beadscope" in word for word in one.info["cmdline"] or ())
    )
    return next((one for one in ours if _has_open(one, lock)), 0)


def _has_open(pid: int, path: str) -> bool:
    import psutil

    if pid <= 0:
        return False
    with contextlib.suppress(psutil.Error, OSError):
        return path in (os.path.realpath(one.path) for one in psutil.Process(pid).open_files())
    return False


def drain(pid: int) -> None:
    """Ask a run to finish what is being computed, and to end then."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGINT)


def stop(pid: int) -> None:
    """End a run at once; what is done stays done. It is seen to in the background."""
    import psutil

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        process.terminate()
        threading.Thread(
            target=_see_to_end, args=(process,), name="batch-stop", daemon=True
        ).start()


def _see_to_end(process: object) -> None:
    import psutil

    assert isinstance(process, psutil.Process)
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.suppress(psutil.Error):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()  # its workers see that and end
                return
            time.sleep(0.05)


def _folder() -> Path:
    folder = runtime_folder() / "batches"
    folder.mkdir(exist_ok=True, mode=0o700)
    oldest = time.time() - _KEPT_S
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
    return folder
