"""Scripts in processes of their own: start one, read what it prints, stop it, find it again.

A script belongs to the experiment, not to the viewer that started it: its output goes to a file,
and a viewer that comes later finds it (`running_scripts`). Must not know Qt or napari.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
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
from napari_beadscope.engine.processes import background_flags
from napari_beadscope.script.checking import Mistake, find_mistakes, mistakes_error
from napari_beadscope.script.conduct import (
    RUN_VARIABLE,
    RunState,
    pause_file,
    read_deeds,
    state_file,
)
from napari_beadscope.script.recipes import is_recipe, recipe_mistakes
from napari_beadscope.script.runner import RunRecord
from napari_beadscope.script.safety import make_safe
from napari_beadscope.script.scope import ENGINE_VARIABLE
from napari_beadscope.wire import runtime_folder

_LOG = logging.getLogger(__name__)
#: A script has this long to end when it is asked to; then it is killed.
PATIENCE_S = 5.0
#: Ends what is said of a run whose process was killed.
GOES_ON = "a recording or locks that it began go on"
_LEFT = f"motors that it had sent were halted; {GOES_ON}"
_KEPT_S = 7 * 86_400
_MOST_BYTES = 64_000
_LONGEST = 4_000


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
        #: What it prints.
        self.log = path.with_suffix(".log")
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop_asked_s = 0.0
        self._column = 0
        self._last: RunRecord | None = None
        self._ending = False  # it was asked to stop, and that is being seen to
        if process is not None:  # somebody has to take note of its end
            threading.Thread(target=process.wait, name="script-end", daemon=True).start()

    @property
    def record(self) -> RunRecord:
        """What is known of it; a run whose process is gone without a word has 'failed'."""
        gone = not (self._ending or self._lives())  # asked first: it may leave word meanwhile
        try:
            record = RunRecord.load(self._path)
        except (OSError, msgspec.MsgspecError):
            if self._last is None:
                raise
            record = self._last
            if record.state == "running":
                record = _ended(record, "failed", f"its record {self._path} is gone: end not known")
        if record.state == "running" and gone:
            stopped = bool(self._stop_asked_s)
            record = _ended(
                record, *(("stopped", "") if stopped else ("failed", self._last_word()))
            )
        self._last = record
        return record

    def _last_word(self) -> str:
        on = any(deed.on for deed in read_deeds(self._path))
        return f"{self._cause()}; {_LEFT}" if on else self._cause()

    def _cause(self) -> str:
        code = None if self._process is None else self._process.returncode
        if code is not None and code >= 0:
            return f"it ended without a word (exit code {code})"
        return "its process was killed"

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.record.state == "running"

    def read(self) -> str:
        """Return what it has printed since the last call: the last 64 kB, long lines broken."""
        try:
            with self.log.open("rb") as file:
                left_out = file.seek(0, os.SEEK_END) - self._offset - _MOST_BYTES
                file.seek(self._offset + max(0, left_out))
                data = file.read(_MOST_BYTES)
                self._offset = file.tell()
        except FileNotFoundError:
            return ""
        if left_out <= 0:
            return self._broken(self._decoder.decode(data))
        head, newline, rest = data.partition(b"\n")
        if newline:
            left_out, data = left_out + len(head) + 1, rest
        self._decoder.reset()
        size = f"{left_out / 1e6:.1f} MB" if left_out > 1e5 else f"{left_out / 1e3:.1f} kB"
        gap = "\n" if self._column else ""
        self._column = 0
        return f"{gap}… {size} left out, see {self.log} …\n" + self._broken(
            self._decoder.decode(data)
        )

    def _broken(self, text: str) -> str:
        """Return the text with lines of a length that can be shown."""
        lines: list[str] = []
        for line in text.split("\n"):
            if lines:
                self._column = 0
            room = _LONGEST - self._column
            cuts = range(room, len(line), _LONGEST)
            parts = [line[a:b] for a, b in zip((0, *cuts), (*cuts, len(line)), strict=True)]
            self._column = len(parts[-1]) + (0 if cuts else self._column)
            lines.append("\n".join(parts))
        return "\n".join(lines)

    @property
    def state(self) -> str:
        """'running', 'pausing', 'paused', 'stopping', 'finished', 'failed' or 'stopped'."""
        state = self.record.state
        if state != "running":
            return state
        if self._stop_asked_s:
            return "stopping"
        if self.is_to_pause:
            return "paused" if self.progress.paused else "pausing"
        return state

    @property
    def progress(self) -> RunState:
        """How far it is, as it says, and whether it waits."""
        return RunState.load(state_file(self._path))

    @property
    def is_to_pause(self) -> bool:
        """Whether it was asked to pause: it waits, or will at its next call of a `Scope`."""
        return pause_file(self._path).exists()

    def pause(self) -> None:
        """Let it wait at its next call of a `Scope`, until `resume`.

        A recording or a lock that is on goes on meanwhile, and so does a motor to its target.
        """
        if self.is_running and not self._stop_asked_s:
            pause_file(self._path).touch(mode=0o600)

    def resume(self) -> None:
        """Let it go on."""
        pause_file(self._path).unlink(missing_ok=True)

    def stop(self) -> None:
        """Ask it to end; after `PATIENCE_S` it is killed. What it has started ends with it."""
        if self.is_running and not self._stop_asked_s:
            self._stop_asked_s, self._ending = time.monotonic(), True
            self._signal(signal.SIGTERM)
            threading.Thread(target=self._see_to_end, name="script-stop", daemon=True).start()

    def _see_to_end(self) -> None:
        while self._lives() and time.monotonic() - self._stop_asked_s < PATIENCE_S:
            time.sleep(0.02)
        killed = self._lives()
        if hasattr(os, "killpg") or killed:
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        try:
            if killed:  # it could neither bring its work to rest nor leave word
                record = _ended(RunRecord.load(self._path), "stopped", "")
                rested = "; ".join(make_safe(self._path))
                msgspec.structs.replace(record, rested=rested).save(self._path)
        except (OSError, msgspec.MsgspecError) as error:
            _LOG.warning("the run's record %s is gone: %s", self._path, error)
        finally:
            self._ending = False

    def wait(self, timeout_s: float) -> RunRecord:
        """Wait for its end; return the record."""
        deadline = time.monotonic() + timeout_s
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.record

    def _pid(self) -> int:
        if self._process is not None:
            return self._process.pid
        return (self._last or RunRecord.load(self._path)).pid

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


def _ended(record: RunRecord, state: str, error: str) -> RunRecord:
    return msgspec.structs.replace(record, state=state, error=error, ended_unix_s=time.time())


def read_script(path: Path) -> str:
    """Return the text of a script or recipe; raise `InputError` if it cannot be read."""
    noun = "recipe" if is_recipe("", path) else "script"
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text"
        raise InputError(f"the {noun} {path} cannot be read ({why})", "choose another") from error


def mistakes_of(source: str, path: Path) -> tuple[Mistake, ...]:
    """Return all mistakes of a script or a recipe that can be told before it runs."""
    if is_recipe(source, path):
        return recipe_mistakes(path)
    return find_mistakes(source, path.name)


def run_script(script: str | Path, engine_id: str, folder: Path | None = None) -> ScriptRun:
    """Start a script in a process of its own that attaches to an engine.

    Parameters
    ----------
    script : path
        A Python file, or a recipe.
    engine_id : str
        What ``Scope.attach()`` in it attaches to.
    folder : path, optional
        The script's working folder; by default that of the file.

    Raises
    ------
    InputError
        The file cannot be read, or is not Python; then nothing was started.
    """
    path = Path(script).expanduser().absolute()
    mistakes = mistakes_of(read_script(path), path)
    if mistakes:
        raise mistakes_error(mistakes, path.name)
    _forget_old()
    run_id = secrets.token_hex(4)
    record = _folder() / f"{run_id}.json"
    RunRecord(run_id, str(path), engine_id, time.time()).save(record)
    surroundings = {
        **os.environ,
        ENGINE_VARIABLE: engine_id,
        RUN_VARIABLE: str(record),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
    }
    with record.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_beadscope.script.runner", str(record)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder or path.parent,
            env=surroundings,
            **background_flags(),
        )
    return ScriptRun(record, process)


def running_scripts(engine_id: str) -> tuple[ScriptRun, ...]:
    """Return the scripts that run on an engine, oldest first: those of a viewer that is gone."""
    return tuple(
        run for run in known_scripts() if run.record.engine_id == engine_id and run.is_running
    )


def known_scripts() -> tuple[ScriptRun, ...]:
    """Return all runs of the last week, oldest first."""
    found = []
    for path in _folder().glob("*.json"):
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
            run = ScriptRun(path)
            found.append((run.record.started_unix_s, run))
    return tuple(run for _, run in sorted(found, key=lambda pair: pair[0]))


def drafts_folder() -> Path:
    """Return the folder of scripts that have not been given a name."""
    return _folder()


def _folder() -> Path:
    folder = runtime_folder() / "scripts"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _forget_old() -> None:
    oldest = time.time() - _KEPT_S
    kinds = ("*.json", "*.log", "*.state", "*.did", "*.pause", "*.part")
    for path in (path for kind in kinds for path in _folder().glob(kind)):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
