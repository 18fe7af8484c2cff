"""Named shared memory: created by one owner, attached by others, swept when the owner is dead.

A segment is a memory-mapped file in a RAM-backed folder (``/dev/shm``) where there is one, so no
resource tracker of another interpreter can destroy it, and a full memory is an error at creation
instead of a bus error later. Knows nothing of what lies inside.
"""

from __future__ import annotations

import logging
import mmap
import os
import tempfile
import threading
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import RingError
from napari_beadscope.ring.lock import ProcessLock, is_held, remove_unheld

_LOG = logging.getLogger(__name__)
_PREFIX = "beadscope-"
_OWNER = "owner"
_MADV_POPULATE_WRITE = 23  # Linux 5.14


def segment_folder() -> Path:
    """Return the folder that holds the segments: RAM-backed where the system has one.

    The environment variable ``BEADSCOPE_SEGMENT_DIR`` names another, for instance where a
    container's ``/dev/shm`` is too small.
    """
    override = os.environ.get("BEADSCOPE_SEGMENT_DIR")
    if override:
        folder = Path(override)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    shm = Path("/dev/shm")
    if shm.is_dir() and os.access(shm, os.W_OK):
        return shm
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"beadscope-segments-{user}"
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
        except (OSError, ValueError, OverflowError) as error:
            if fd >= 0:  # else it is somebody else's
                path.unlink(missing_ok=True)
            why = getattr(error, "strerror", None) or error
            raise RingError(
                f"cannot create {nbytes / 2**20:.0f} MiB of shared memory at {path} ({why})",
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
        except (OSError, ValueError) as error:  # ValueError: the file is empty
            raise RingError(f"cannot map {path} ({error})", "restart the engine") from error
        finally:
            os.close(fd)

    @property
    def nbytes(self) -> int:
        """Size in bytes, 0 once closed."""
        return 0 if self._block is None else len(self._block)

    def array(self, dtype: np.typing.DTypeLike, count: int, offset: int = 0) -> np.ndarray:
        """Return a 1-D view of `count` items of `dtype`, `offset` bytes in.

        Raises
        ------
        RingError
            The segment is closed, or smaller than that.
        """
        if self._block is None:
            raise RingError(f"shared memory {self.name} is closed", "attach again")
        end = offset + count * np.dtype(dtype).itemsize
        if end > len(self._block):
            raise RingError(
                f"shared memory {self.name} has {len(self._block)} bytes where {end} are needed",
                "restart the engine",
            )
        return np.frombuffer(self._block, dtype=dtype, count=count, offset=offset)

    def fence(self) -> None:
        """Order the stores and loads before it against those after it.

        Taking a lock that only this process knows is a full barrier on every processor.
        """
        with self._fence:
            pass

    def prefault(self, chunk: int = 2**22) -> None:
        """Give every page its memory now; the first touch of a 4 MiB frame may else cost 5 ms."""
        block = self._block
        if block is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for start in range(0, self.nbytes, chunk):
            try:
                block.madvise(_MADV_POPULATE_WRITE, start, min(chunk, len(block) - start))
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

    The mark is a locked file, made before the first segment and removed after the last. The
    kernel releases the lock when the process dies, however it dies.

    Parameters
    ----------
    session : str
        The random ID that every segment name of the session starts with; no ``-`` in it.

    Raises
    ------
    RingError
        The session has an owner already, or the mark cannot be made.
    """

    def __init__(self, session: str) -> None:
        if not session or "-" in session:
            raise RingError(f"{session!r} cannot be a session's ID", "use letters and digits")
        self.session = session
        mark = _path(f"{session}-{_OWNER}")
        try:
            self._lock = ProcessLock(mark)
        except OSError as error:
            raise RingError(
                f"cannot own the shared memory of session {session} at {mark} "
                f"({error.strerror or error})",
                "start again, with a new session",
            ) from error

    def close(self) -> None:
        """Remove every segment of the session, then the mark."""
        if self._lock.is_open:
            unlink_session(self.session)
            self._lock.close()

    def __enter__(self) -> SegmentOwner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def segment_names(session: str | None = None) -> list[str]:
    """Return the names of all segments that exist, or of one session's."""
    start = _PREFIX if session is None else f"{_PREFIX}{session}-"
    return sorted(
        name[len(_PREFIX) :] for name in os.listdir(segment_folder()) if name.startswith(start)
    )


def unlink_session(session: str) -> None:
    """Remove the names of all segments of a session, its mark last."""
    for name in sorted(segment_names(session), key=lambda name: name.endswith(f"-{_OWNER}")):
        Segment.unlink(name)


def session_alive(session: str) -> bool:
    """Return whether the owner of a session's segments is alive."""
    return is_held(_path(f"{session}-{_OWNER}"))


def sweep() -> list[str]:
    """Remove the segments of sessions whose owner is dead; return those sessions' IDs.

    Sessions that are alive, just starting, or another user's are left alone; any number of
    processes may sweep at the same time.
    """
    found: dict[str, set[str]] = {}
    for name in segment_names():
        session, _, what = name.partition("-")
        found.setdefault(session, set()).add(what)
    dead = []
    for session, parts in sorted(found.items()):
        # A draft alone may be the first instant of a session that is starting: only the draft
        # itself is looked at. Anything else was made after the mark and goes before it.
        draft_only = parts == {f"{_OWNER}.new"}
        mark = _path(f"{session}-{_OWNER}.new" if draft_only else f"{session}-{_OWNER}")
        try:
            if is_held(mark):
                continue
            if draft_only:
                remove_unheld(mark)
            else:
                unlink_session(session)
        except PermissionError:
            _LOG.debug("session %s is another user's", session)
            continue
        dead.append(session)
    return dead
