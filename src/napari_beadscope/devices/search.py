"""Looks for devices, in a process of its own for each kind.

Owns those processes: a vendor's library may hang, crash, or never let go of what it has loaded,
and must do that to nobody who only asks what is connected. Must not know any device.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module

import msgspec

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.devices.found import DeviceInfo

#: Vendors' libraries write to standard output too; our line begins like this.
_MARK = b"beadscope-found:"


class _Answer(msgspec.Struct):
    """What a search came to: devices, or why there are none."""

    found: tuple[DeviceInfo, ...] = ()
    why_not: str = ""


def search(targets: Sequence[str], patience_s: float) -> list[tuple[DeviceInfo, ...] | str]:
    """Return what each ``module:function`` finds, or a clause why it cannot be said.

    All look at the same time, for `patience_s` s at most.
    """
    end_s = time.monotonic() + patience_s
    with ExitStack() as running:
        processes = [running.enter_context(_start(target)) for target in targets]
        try:
            return [_answer(process, end_s, patience_s) for process in processes]
        finally:
            for process in processes:  # those that hang, and those an interrupt has left
                process.kill()


def _start(target: str) -> subprocess.Popen[bytes]:
    # -P: a user's `queue.py` in the present folder must not take the place of Python's
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "napari_beadscope.devices.search", target],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _answer(
    process: subprocess.Popen[bytes], end_s: float, patience_s: float
) -> tuple[DeviceInfo, ...] | str:
    try:
        said, _ = process.communicate(timeout=max(0.0, end_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return f"its library did not answer within {patience_s:.0f} s"
    line = next((line for line in said.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        return f"its library ended the search with exit code {process.returncode}"
    answer = msgspec.json.decode(line.removeprefix(_MARK), type=_Answer)
    return answer.why_not or answer.found


def main(target: str) -> None:
    """Print what one ``module:function`` finds."""
    module, name = target.split(":")
    try:
        answer = _Answer(tuple(getattr(import_module(module), name)()))
    except BeadscopeError as error:
        answer = _Answer(why_not=str(error))
    sys.stdout.buffer.write(b"\n" + _MARK + msgspec.json.encode(answer) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
