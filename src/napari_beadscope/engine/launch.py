"""Starts an engine from a front end, as a process tree of its own that outlives it."""

from __future__ import annotations

import subprocess
import threading

import msgspec

from napari_beadscope.core.errors import EngineError
from napari_beadscope.engine.config import EngineConfig
from napari_beadscope.engine.places import EngineInfo, log_folder, remove_leftovers
from napari_beadscope.engine.processes import background_flags, python_command


def launch(config: EngineConfig, timeout_s: float = 30.0) -> tuple[subprocess.Popen, EngineInfo]:
    """Start an engine and return its process and how to reach it.

    The process is returned so that whoever started it can wait for its end; it needs nobody.

    Raises
    ------
    EngineError
        It could not be started; the message holds what it said.
    """
    log = log_folder() / "launch.log"
    with log.open("ab") as errors:
        start = errors.tell()
        process = subprocess.Popen(
            python_command("napari_beadscope.engine.supervisor"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            **background_flags(),
        )
    assert process.stdin is not None
    assert process.stdout is not None
    watch = threading.Timer(timeout_s, process.kill)
    watch.start()
    try:
        with process.stdin as stdin:
            stdin.write(msgspec.json.encode(config) + b"\n")
        with process.stdout as stdout:
            line = stdout.readline()
    except BrokenPipeError:
        line = b""
    except BaseException:  # an interrupt: nobody would know of this engine
        process.kill()
        process.wait()
        remove_leftovers()
        raise
    finally:
        watch.cancel()
    if not line:
        process.kill()
        process.wait()
        remove_leftovers()
        said = log.read_bytes()[start:].decode(errors="replace").strip()
        last = said.splitlines()[-1] if said else f"it said nothing for {timeout_s:.0f} s"
        raise EngineError(f"the engine could not be started ({last})", f"see {log}")
    return process, msgspec.json.decode(line, type=EngineInfo)
