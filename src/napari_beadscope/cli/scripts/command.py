"""`beadscope script run | check | list | log | pause | resume | stop`.

Owns which run is meant and what is said of it; the runs themselves are in `script.runs`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from napari_beadscope.cli.output import Output, table
from napari_beadscope.core.errors import EngineError, InputError
from napari_beadscope.engine.places import list_engines
from napari_beadscope.script.conduct import progress_words
from napari_beadscope.script.recipes import is_recipe
from napari_beadscope.script.runs import (
    GOES_ON,
    ScriptRun,
    known_scripts,
    mistakes_of,
    read_script,
    run_script,
)

_POLL_S, _REMEMBERED = 0.05, 20_000


def run(file: Path, engine: str | None, detach: bool, output: Output) -> None:
    """Run a script, and follow it unless it is to go on by itself.

    Raises
    ------
    BeadscopeError
        It cannot be started, fails, or is stopped by somebody else.
    """
    started = run_script(file, _engine(engine), Path.cwd())
    name = file.name
    if detach:
        run_id = started.record.run_id
        output.result(_data(started), [f"{name} runs: `beadscope script log -f {run_id}`"])
        return
    try:
        printed = _follow(started, output)
    except BaseException:
        started.stop()
        started.wait(60)
        output.note(_end(started, _print_rest(started, output)))
        raise
    _tell_end(started, printed, output)


def check_recipe_name(file: Path) -> None:
    """Raise `InputError` for a file that by its name is no recipe."""
    if not is_recipe("", file):
        raise InputError(
            f"{file.name} does not end in .yaml or .yml, as a recipe's name must",
            "rename it, or see `beadscope script` for Python",
        )


def check(file: Path, output: Output) -> None:
    """Print the mistakes of a script; raise `InputError` if there are any."""
    found = mistakes_of(read_script(file), file)
    if not found:
        output.result({"file": file, "mistakes": []}, [f"{file.name}: no mistake was found"])
        return
    if output.as_json:
        data = [{"line": one.line, "what": one.what, "remedy": one.remedy} for one in found]
        output.result({"file": file, "mistakes": data}, ())
        raise SystemExit(2)
    for one in found[:-1]:
        output.warn(f"{one.told(file.name)}: {one.remedy}")
    raise InputError(found[-1].told(file.name), found[-1].remedy)


def list_runs(output: Output) -> None:
    """Print all runs of the last week, newest last."""
    runs = known_scripts()
    rows = [_row(one) for one in runs]
    output.result({"runs": [_data(one) for one in runs]}, table(rows) or ["no script has run"])


def log(run_id: str | None, follow: bool, output: Output) -> None:
    """Print what a run has printed so far, or until it ends."""
    runs = known_scripts()
    if run_id is None and not runs:
        raise InputError("no script has run within the last week", "run one")
    one = _named(run_id, runs) if run_id is not None else runs[-1]
    if follow:
        printed = _follow(one, output)
    else:
        printed = one.log.read_text("utf-8", "replace") if one.log.exists() else ""
        sys.stdout.write("" if output.as_json else printed)
    if output.as_json:
        output.result(_data(one), ())
    elif not one.is_running:
        output.note(_end(one, printed))


def pause(run_id: str | None, output: Output) -> None:
    """Let a run wait."""
    one = _running(run_id)
    one.pause()
    name = Path(one.record.script).name
    output.result(_data(one), [f"{name} waits at its next call of a Scope"])


def resume(run_id: str | None, output: Output) -> None:
    """Let a run go on."""
    one = _running(run_id)
    if not one.is_to_pause:
        raise InputError(f"{Path(one.record.script).name} does not wait", "there is nothing to do")
    one.resume()
    output.result(_data(one), [f"{Path(one.record.script).name} goes on"])


def stop(run_id: str | None, output: Output) -> None:
    """Stop a run, and say how it ended."""
    one = _running(run_id, "`beadscope stop --recording` ends a recording that is on")
    one.stop()
    one.wait(60)
    output.result(_data(one), [_end(one)])


def _engine(engine_id: str | None) -> str:
    """Return the engine that is meant, '' for one that the script starts itself."""
    running = [one.engine_id for one in list_engines()]
    if engine_id is not None:
        if engine_id not in running:
            raise EngineError(f"no engine {engine_id} is running", "see `beadscope engines`")
        return engine_id
    if len(running) > 1:
        raise EngineError(
            f"{len(running)} engines are running", f"choose --engine {' or '.join(running)}"
        )
    return running[0] if running else ""


def _running(run_id: str | None, otherwise: str = "there is nothing to do") -> ScriptRun:
    runs = tuple(one for one in known_scripts() if one.is_running)
    if run_id is not None:
        one = _named(run_id, known_scripts())
        if not one.is_running:
            raise InputError(f"run {run_id} has ended", "see `beadscope script list`")
        return one
    if not runs:
        raise InputError("no script runs", otherwise)
    if len(runs) > 1:
        names = ", ".join(one.record.run_id for one in runs)
        raise InputError(f"{len(runs)} scripts run", f"name one of {names}")
    return runs[0]


def _named(run_id: str, runs: tuple[ScriptRun, ...]) -> ScriptRun:
    for one in runs:
        if one.record.run_id == run_id:
            return one
    raise InputError(f"there is no run {run_id!r}", "see `beadscope script list`")


def _follow(one: ScriptRun, output: Output) -> str:
    """Print what it prints, and show its progress, until it ends; return the end of that."""
    printed = ""
    with output.progress("{task.fields[words]}") as bar:
        task = bar.add_task(Path(one.record.script).name, total=1.0, words="", visible=False)
        while True:
            running = one.is_running  # before the rest of the output is read
            bar.console.file.flush()
            text = _print_rest(one, output)
            printed = (printed + text)[-_REMEMBERED:]
            state = one.progress
            words = progress_words(state, time.time())
            bar.update(task, completed=state.fraction, words=words, visible=state.total > 0)
            if not running and not text:
                return printed
            time.sleep(_POLL_S)


def _print_rest(one: ScriptRun, output: Output) -> str:
    """Print what it has printed since, except as JSON; return that."""
    text = one.read()
    if text and not output.as_json:
        sys.stdout.write(text)
        sys.stdout.flush()
    return text


def _tell_end(one: ScriptRun, printed: str, output: Output) -> None:
    record = one.record
    if record.state != "finished":
        printed = "" if output.as_json else printed
        raise InputError(_end(one, printed), f"see `beadscope script log {record.run_id}`")
    output.result(_data(one), []) if output.as_json else output.note(_end(one))


def _end(one: ScriptRun, printed: str = "") -> str:
    """Return how it ended, without the words that its own output has said already."""
    record = one.record
    name, took_s = Path(record.script).name, record.ended_unix_s - record.started_unix_s
    rested = f" ({record.rested})" if record.rested else ""
    if record.rested and all(part[1:] in printed for part in record.rested.split("; ")):
        rested = ""
    if record.state == "failed":
        where = f" in line {record.line}" if record.line else ""
        error = f": {record.error}" if record.error not in printed else ""
        if GOES_ON in record.error:
            error += " (`beadscope stop --recording` ends it)"
        return f"{name} failed{where}{error}{rested}"
    return f"{name} {record.state} after {took_s:.1f} s{rested}"


def _data(one: ScriptRun) -> dict[str, Any]:
    record, state, now = one.record, one.progress, time.time()
    return {
        "run": record.run_id,
        "script": record.script,
        "engine": record.engine_id,
        "state": one.state,
        "started_unix_s": record.started_unix_s,
        "ended_unix_s": record.ended_unix_s or None,
        "pid": record.pid,
        "line": record.line,
        "error": record.error,
        "rested": record.rested,
        "done": state.done,
        "total": state.total,
        "text": state.text,
        "left_s": state.left_s(now) if one.is_running else None,
        "log": one.log,
    }


def _row(one: ScriptRun) -> tuple[str, ...]:
    record = one.record
    began = time.strftime("%m-%d %H:%M", time.localtime(record.started_unix_s))
    words = progress_words(one.progress, time.time()) if one.is_running else ""
    if record.state == "failed":
        words = f"line {record.line}: {record.error}" if record.line else record.error
    return record.run_id, Path(record.script).name, one.state, began, words


def example(kind: str | None, out: Path | None, output: Output) -> None:
    """Print or write a recipe to begin with."""
    from napari_beadscope.script.recipes.samples import SAMPLES

    if kind is None:
        rows = [(name, text.partition("\n")[0].lstrip("# ")) for name, text in SAMPLES.items()]
        output.result({"kinds": dict(rows)}, table(rows))
        return
    if kind not in SAMPLES:
        raise InputError(f"there is no recipe {kind!r}", f"choose {', '.join(SAMPLES)}")
    text = SAMPLES[kind]
    if out is None:
        output.result({"kind": kind, "text": text}, text.splitlines())
        return
    try:
        with out.expanduser().open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"{out} is there already", "choose another name") from None
    except FileNotFoundError:
        raise InputError(f"there is no folder {out.parent}", "make the folder first") from None
    output.result({"kind": kind, "out": out}, [f"{out}: `beadscope recipe run {out}`"])
