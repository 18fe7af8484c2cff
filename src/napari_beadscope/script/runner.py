"""The process of a user's script: runs the file, and leaves word of how it ended.

Run as ``python -m napari_beadscope.script.runner RECORD``; `script.runs` starts it. What the
script prints goes to its log, which outlives the viewer that shows it. SIGTERM becomes a
`KeyboardInterrupt`, so that ``with`` and ``finally`` in the script do their part; after that, and
after an error, what is still going on because of the script is brought to rest (`script.safety`).
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.script.conduct import RUN_VARIABLE, pause_file
from napari_beadscope.script.safety import make_safe


class RunRecord(msgspec.Struct, frozen=True):
    """A script's run, as it is kept in a file.

    ``state`` is 'running', 'finished', 'failed' or 'stopped'; for a failure, ``line`` is the line
    of the script (0: not known) and ``error`` the sentence. ``rested`` says what of its work was
    brought to rest then.
    """

    run_id: str
    script: str
    engine_id: str
    started_unix_s: float
    pid: int = 0
    state: str = "running"
    ended_unix_s: float = 0.0
    line: int = 0
    error: str = ""
    rested: str = ""

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        draft = path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self))
        os.replace(draft, path)

    @classmethod
    def load(cls, path: Path) -> RunRecord:
        """Read it."""
        return _RECORDS.decode(path.read_bytes())


#: Made once, before threads use it: msgspec 0.22 crashes if several are the first to.
_RECORDS = msgspec.json.Decoder(RunRecord)


def run(path: Path) -> int:
    """Run the script of a record and note its end; return the exit code."""
    record = msgspec.structs.replace(RunRecord.load(path), pid=os.getpid())
    record.save(path)
    signal.signal(signal.SIGTERM, lambda *_: _interrupt(path))
    script = record.script
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    state, line, error, code = "finished", 0, "", 0
    owner = os.getpid()  # the script may fork: a child's end is not the run's
    try:
        _carry_out(script)
    except KeyboardInterrupt:
        state, code = "stopped", 130
    except SystemExit as ended:
        if ended.code not in (None, 0):
            state, code = "failed", ended.code if isinstance(ended.code, int) else 1
            error = f"it ended with {ended.code!r}"
            line = _line_in(script, ended)
    except BaseException as raised:  # noqa: BLE001  the process boundary: report, then end
        state, code = "failed", 1
        line, error = _line_in(script, raised), _sentence(raised)
        sys.stderr.write(_traceback_of(script, raised))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on it ends anyway
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getpid() != owner:
        return code
    rested = "" if state == "finished" else _rest(path)
    msgspec.structs.replace(
        record, state=state, ended_unix_s=time.time(), line=line, error=error, rested=rested
    ).save(path)
    return code


def _carry_out(script: str) -> None:
    from napari_beadscope.script.recipes import is_recipe, read_recipe

    if is_recipe(Path(script).read_text(encoding="utf-8"), Path(script)):
        from napari_beadscope.script.recipes.run import run_recipe

        run_recipe(read_recipe(Path(script)))
    else:
        runpy.run_path(script, run_name="__main__")


def _interrupt(path: Path) -> None:
    """End the script; one that waits is to go on to its ``finally``."""
    pause_file(path).unlink(missing_ok=True)
    raise KeyboardInterrupt


def _rest(path: Path) -> str:
    """Bring the script's work to rest, and say so in its log; return what was done."""
    pause_file(path).unlink(missing_ok=True)
    os.environ.pop(RUN_VARIABLE, None)
    try:
        done = make_safe(path)
    except Exception as error:  # noqa: BLE001  the process boundary: the record is more important
        done = [f"what it had set going could not be brought to rest ({_sentence(error)})"]
    for sentence in done:
        sys.stderr.write(f"{sentence[:1].upper()}{sentence[1:]}.\n")
    sys.stderr.flush()
    return "; ".join(done)


def _sentence(error: BaseException) -> str:
    if isinstance(error, BeadscopeError):
        return str(error)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line_in(script: str, error: BaseException) -> int:
    """Return the last line of the script that was on the way to the error, 0 if none was."""
    if isinstance(error, SyntaxError) and error.filename == script:
        return error.lineno or 0
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == script]
    return (lines[-1] if lines else 0) or 0


def _traceback_of(script: str, error: BaseException) -> str:
    """Return the traceback without what runs the script, nor what refused in words."""
    if isinstance(error, BeadscopeError):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == script]
        lines = traceback.format_list(frames)
        if not lines:
            return f"{error}\n"
        return "".join(["Traceback (most recent call last):\n", *lines, f"{error}\n"])
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename != script:
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step))


def main() -> int:
    """Run the script whose record is named on the command line."""
    return run(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
