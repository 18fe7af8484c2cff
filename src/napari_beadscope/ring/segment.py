"""Named shared memory: created by one owner, attached by others, swept when the owner is dead.

A segment is a memory-mapped file in a RAM-backed folder (``/dev/shm``) where there is one, so no
resource tracker of another interpreter can destroy it, and a full memory is an error at creation
instead of a bus error later. Knows nothing of what lies inside.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from napari_beadscope.core.errors import RingError

_LOG = logging.getLogger(__name__)
_PREFIX = "beadscope-"
_OWNER = "owner"
_MADV_POPULATE_WRITE = 23  # Linux 5.14


def segment_folder() -> Path:
    """Return the folder that holds the segments of this user."""
    shm = Path("/dev/shm")
    if shm.is_dir() and os.access(shm, os.W_OK):
        return shm
    folder = Path(tempfile.gettempdir()) / "beadscope-segments"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _path(name: str) -> Path:
    return segment_folder() / f"{_PREFIX}{name}"


class Segment:
    """A mapped block of shared memory.

    `close` may be called twice. A view that somebody still holds keeps the mapping alive until
    the view goes; the name is independent of that (see `unlink`).
    """

    def __init__(self, name: str, block: mmap.mmap) -> None:
        self.name = name
        self._block: mmap.mmap | None = block
        self._fence = threading.Lock()

    @classmethod
    def create(cls, name: str, nbytes: int) -> Segment:
        """Create a zeroed block of `nbytes`; raise `RingError` if it exists or memory is short."""
        path = _path(name)
        fd = -1
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, nbytes)  # a full folder must fail here, not as SIGBUS
            else:
                os.ftruncate(fd, nbytes)
            return cls(name, mmap.mmap(fd, nbytes))
        except OSError as error:
            if error.errno != errno.EEXIST:
                path.unlink(missing_ok=True)
            raise RingError(
                f"cannot create {nbytes / 2**20:.0f} MiB of shared memory at {path} "
                f"({error.strerror or error})",
                "free memory, or set engine.ring_mb lower",
            ) from error
        finally:
            if fd >= 0:
                os.close(fd)

    @classmethod
    def attach(cls, name: str, *, writable: bool = False) -> Segment:
        """Map an existing block; raise `RingError` if there is none."""
        path = _path(name)
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        try:
            fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        except OSError as error:
            raise RingError(
                f"no shared memory at {path} ({error.strerror})", "the engine may have ended"
            ) from error
        try:
            return cls(name, mmap.mmap(fd, 0, access=access))
        finally:
            os.close(fd)

    def array(self, dtype: np.typing.DTypeLike, count: int, offset: int = 0) -> np.ndarray:
        """Return a 1-D view of `count` items of `dtype`, `offset` bytes in."""
        if self._block is None:
            raise RingError(f"shared memory {self.name} is closed", "attach again")
        return np.frombuffer(self._block, dtype=dtype, count=count, offset=offset)

    def fence(self) -> None:
        """Order the stores and loads before it against those after it (x86 needs none, ARM does)."""
        with self._fence:
            pass

    def prefault(self, chunk: int = 2**22) -> None:
        """Give every page its memory now; the first touch of a 4 MiB frame may else cost 5 ms."""
        if self._block is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for start in range(0, len(self._block), chunk):
            try:
                self._block.madvise(
                    _MADV_POPULATE_WRITE, start, min(chunk, len(self._block) - start)
                )
            except OSError:  # kernels before 5.14 don't know it: the first touch pays
                return

    def close(self) -> None:
        """Unmap the block, at once if no view is held."""
        block, self._block = self._block, None
        if block is None:
            return
        try:
            block.close()
        except BufferError:
            _LOG.debug("a view of %s outlives it", self.name)

    @staticmethod
    def unlink(name: str) -> None:
        """Remove the name; mappings stay valid until they are closed."""
        _path(name).unlink(missing_ok=True)


class SegmentOwner:
    """Marks a session's segments as owned by this process for as long as it lives.

    The mark is a file lock, which the kernel releases when the process dies, however it dies.

    Parameters
    ----------
    session : str
        The random ID that every segment name of the session starts with.
    """

    def __init__(self, session: str) -> None:
        self.session = session
        final = _path(f"{session}-{_OWNER}")
        draft = final.with_suffix(".new")
        self._lock = FileLock(str(draft))
        self._lock.acquire(timeout=0)
        os.rename(draft, final)  # it never exists unlocked while its owner lives

    def close(self) -> None:
        """Remove every segment of the session, then the mark."""
        unlink_session(self.session)
        self._lock.release()


def segment_names(session: str | None = None) -> list[str]:
    """Return the names of all segments that exist, or of one session's."""
    start = _PREFIX if session is None else f"{_PREFIX}{session}-"
    names = (path.name for path in segment_folder().glob(f"{start}*"))
    return sorted(name[len(_PREFIX) :] for name in names)


def unlink_session(session: str) -> None:
    """Remove the names of all segments of a session, its mark last."""
    for name in sorted(segment_names(session), key=lambda name: name.endswith(f"-{_OWNER}")):
        Segment.unlink(name)


def sweep() -> list[str]:
    """Remove the segments of sessions whose owner is dead; return those sessions' IDs."""
    dead = []
    for session in sorted({name.split("-")[0] for name in segment_names()}):
        mark = _path(f"{session}-{_OWNER}")
        if _path(f"{session}-{_OWNER}.new").exists() and not mark.exists():
            mark = _path(f"{session}-{_OWNER}.new")
        if mark.exists() and _is_locked(mark):
            continue
        unlink_session(session)
        dead.append(session)
    return dead


def _is_locked(mark: Path) -> bool:
    lock = FileLock(str(mark))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
