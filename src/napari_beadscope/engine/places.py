"""Where engines leave word of themselves: who runs, how to reach it, who owns which camera.

The word is a file that only the user can read; a file lock, released by the kernel however a
process ends, tells whether it still holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from napari_beadscope.core.errors import EngineBusyError
from napari_beadscope.ring.segment import session_alive, sweep
from napari_beadscope.wire import runtime_folder


class EngineInfo(msgspec.Struct, frozen=True):
    """How to reach an engine; ``secret`` proves to it that the caller may read the file."""

    engine_id: str
    camera: str
    pid: int
    address: str
    secret: str
    started_unix_s: float
    recording: str = ""  # folder, '' while it does not record
    recording_since_unix_s: float = 0.0


#: Made once, before threads use it: msgspec 0.22 crashes if several are the first to.
_INFO = msgspec.json.Decoder(EngineInfo)


def log_folder() -> Path:
    """Return the folder of the engines' log files."""
    folder = runtime_folder() / "log"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def write_info(info: EngineInfo) -> None:
    """Leave word of an engine, readable by this user only."""
    path = _info_path(info.engine_id)
    draft = path.with_suffix(".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(info))
    os.replace(draft, path)


def remove_info(engine_id: str) -> None:
    """Take the word of an engine back."""
    _info_path(engine_id).unlink(missing_ok=True)


def list_engines() -> tuple[EngineInfo, ...]:
    """Return the engines of this user that are alive, oldest first."""
    found = []
    for path in runtime_folder().glob("engine-*.json"):
        try:
            info = _INFO.decode(path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            continue
        if session_alive(info.engine_id):
            found.append(info)
    return tuple(sorted(found, key=lambda info: info.started_unix_s))


def remove_leftovers() -> list[str]:
    """Remove what dead engines left: shared memory, sockets, words, old logs; return their IDs."""
    dead = sweep()
    for path in runtime_folder().glob("engine-*.json"):
        engine_id = path.stem.removeprefix("engine-")
        if not session_alive(engine_id):
            path.unlink(missing_ok=True)
    hour_ago, week_ago = time.time() - 3_600, time.time() - 7 * 86_400
    for path in log_folder().glob("*.log"):
        with contextlib.suppress(FileNotFoundError):  # another engine sweeps at the same time
            found = path.stat()
            if found.st_mtime < (week_ago if found.st_size else hour_ago):
                path.unlink()
    return dead


@contextmanager
def camera_claim(lock_name: str, engine_id: str) -> Iterator[None]:
    """Own a camera while inside; raise `EngineBusyError` that tells who has it.

    An empty `lock_name` means that the camera can be had any number of times.
    """
    if not lock_name:
        yield
        return
    stem = runtime_folder() / f"camera-{re.sub(r'[^A-Za-z0-9._-]+', '-', lock_name)}"
    lock = FileLock(f"{stem}.lock")
    owner = Path(f"{stem}.json")
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        who = json.loads(owner.read_text()) if owner.exists() else {}
        raise EngineBusyError(
            f"camera {lock_name!r} is in use by engine {who.get('engine_id', 'unknown')} "
            f"(process {who.get('pid', 'unknown')})",
            "attach to that engine, or stop it first",
        ) from None
    try:
        owner.write_text(json.dumps({"engine_id": engine_id, "pid": os.getpid()}))
        yield
    finally:
        lock.release()


def _info_path(engine_id: str) -> Path:
    return runtime_folder() / f"engine-{engine_id}.json"
