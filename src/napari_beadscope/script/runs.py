"""Scripts in processes of their own: start one, read what it prints, stop it, find it again.

A script belongs to the experiment, not to the viewer that started it: its output goes to a file,
and a viewer that comes later finds it (`running_scripts`). Must not know Qt or napari.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from napari_beadscope.core.errors import InputError
from napari_beadscope.engine.places import runtime_folder
from napari_beadscope.engine.processes import background_flags
from napari_beadscope.script.runner import RunRecord
from napari_beadscope.script.scope import ENGINE_VARIABLE

#: A script has this long to end when it is asked to; then it is killed.
PATIENCE_S = 5.0
_KEPT_S = 7 * 86_400
_MOST_BYTES = 200_000


class ScriptRun:
    """One run of a script, started here or found.

    Parameters
    ----------
    path : Path
        Of its record; the log is beside it.
    process : subprocess.Popen, optional
        If it was started here.
    """

    def __init__(self, path: Path, process: subprocess.Popen | None = None) -> None:
        self._path = path
        self._process = process
        self._log = path.with_suffix(".log")
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop_asked_s = 0.0
        self._killed = False
        if process is not None:  # somebody has to take note of its end
            threading.Thread(target=process.wait, name="script-end", daemon=True).start()

    @property
    def record(self) -> RunRecord:
        """What is known of it; a run whose process is gone without a word is 'stopped'."""
        gone = not self._lives()  # asked first: it may leave word and end in between
        record = RunRecord.load(self._path)
        if record.state == "running" and gone:
            why = "" if self._stop_asked_s else "its process was killed"
            state = "stopped" if self._stop_asked_s else "failed"
            return msgspec.structs.replace(record, state=state, error=why, ended_unix_s=time.time())
        return record

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.record.state == "running"

    def read(self) -> str:
        """Return what it has printed since the last call, at most 200 kB of it."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._offset)
            data = file.read(_MOST_BYTES)
        self._offset += len(data)
        return self._decoder.decode(data)

    def stop(self) -> None:
        """Ask it to end; whoever asks again after `PATIENCE_S` has it killed (see `insist`)."""
        if self.is_running and not self._stop_asked_s:
            self._stop_asked_s = time.monotonic()
            self._signal(signal.SIGTERM)

    def insist(self) -> None:
        """Kill it, with what it has started, if it was asked to end and has not in time."""
        late = self._stop_asked_s and time.monotonic() - self._stop_asked_s > PATIENCE_S
        if late and not self._killed and self._lives():
            self._killed = True
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def wait(self, timeout_s: float) -> RunRecord:
        """Wait for its end, killing it if it was asked to end and does not; return the record."""
        deadline = time.monotonic() + timeout_s
        while self.is_running and time.monotonic() < deadline:
            self.insist()
            time.sleep(0.02)
        return self.record

    def _pid(self) -> int:
        if self._process is not None:
            return self._process.pid
        return RunRecord.load(self._path).pid

    def _lives(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(self._pid())
            is_zombie = process.status() == psutil.STATUS_ZOMBIE
            return not is_zombie and str(self._path) in process.cmdline()
        return False

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGTERM or not hasattr(os, "killpg"):
                os.kill(self._pid(), number)
            else:
                os.killpg(self._pid(), number)  # it leads a group of its own


def check_script(source: str, name: str = "the script") -> None:
    """Raise `InputError` with the line if this is not Python.

    Examples
    --------
    >>> check_script("print(1")
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: line 1 of the script is not Python ('(' was never \
closed): mend it
    """
    try:
        compile(source, name, "exec")
    except SyntaxError as error:
        where = f"line {error.lineno} of {name}" if error.lineno else name
        raise InputError(f"{where} is not Python ({error.msg})", "mend it") from error
    except ValueError as error:
        raise InputError(f"{name} is not Python ({error})", "type it anew") from error


def run_script(script: str | Path, engine_id: str) -> ScriptRun:
    """Start a script in a process of its own that attaches to an engine.

    Parameters
    ----------
    script : path
        A Python file; its folder is the script's working folder.
    engine_id : str
        What ``Scope.attach()`` in it attaches to.

    Raises
    ------
    InputError
        The file cannot be read, or is not Python; then nothing was started.
    """
    path = Path(script).expanduser().absolute()
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text"
        raise InputError(f"the script {path} cannot be read ({why})", "choose another") from error
    check_script(source, path.name)
    _forget_old()
    run_id = secrets.token_hex(4)
    record = _folder() / f"{run_id}.json"
    RunRecord(run_id, str(path), engine_id, time.time()).save(record)
    surroundings = {
        **os.environ,
        ENGINE_VARIABLE: engine_id,
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
    }
    with record.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_beadscope.script.runner", str(record)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=path.parent,
            env=surroundings,
            **background_flags(),
        )
    return ScriptRun(record, process)


def running_scripts(engine_id: str) -> tuple[ScriptRun, ...]:
    """Return the scripts that run on an engine, oldest first: those of a viewer that is gone."""
    found = []
    for path in _folder().glob("*.json"):
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            run = ScriptRun(path)
            if run.record.engine_id == engine_id and run.is_running:
                found.append(run)
    return tuple(sorted(found, key=lambda run: run.record.started_unix_s))


def drafts_folder() -> Path:
    """Return the folder of scripts that have not been given a name."""
    return _folder()


def _folder() -> Path:
    folder = runtime_folder() / "scripts"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _forget_old() -> None:
    oldest = time.time() - _KEPT_S
    for path in (*_folder().glob("*.json"), *_folder().glob("*.log")):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
