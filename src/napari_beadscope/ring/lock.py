"""A file lock that the kernel releases when its process ends, however it ends.

Owns how a lock is taken and probed on each system. Knows nothing of what it protects.
Not a library's lock: those reopen, rename or unlink the file by its path, and probing them
from two processes at once makes each believe that the other one is the holder.
"""

from __future__ import annotations

import os
import sys
import weakref
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class ProcessLock:
    """An exclusive lock on a new file, held until `close` or the end of this process.

    Children never hold it: it is closed over `exec`, and in a forked child right after the fork.

    Parameters
    ----------
    path : Path
        The file, which must not exist yet. It appears under this name already locked.

    Raises
    ------
    FileExistsError
        The file is there already.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _create_locked(path)
        if hasattr(os, "register_at_fork"):
            mine = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _close_of(mine))

    @property
    def is_open(self) -> bool:
        """Whether this process holds the lock by this object."""
        return self._fd >= 0

    def close(self) -> None:
        """Release the lock; the file stays."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def is_held(path: Path) -> bool:
    """Return whether a living process holds the lock on `path`.

    A file that is not there is not held; one that another user owns counts as held.
    Any number of processes may ask at the same time.
    """
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        return not _try(fd, shared=True)
    finally:
        os.close(fd)


def remove_unheld(path: Path) -> bool:
    """Remove `path` if no living process holds its lock; return whether it did."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if not _try(fd, shared=True):
            return False
        path.unlink(missing_ok=True)  # whoever holds the file open sees that it has no name
        return True
    finally:
        os.close(fd)


def _create_locked(path: Path) -> int:
    if sys.platform == "win32":  # an open file can't be renamed there, nor removed by a sweep
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _try(fd, shared=False)
        return fd
    if path.exists():
        raise FileExistsError(f"{path} exists")
    draft = path.with_name(path.name + ".new")
    while True:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # a probe may hold it for microseconds
            if os.fstat(fd).st_nlink:  # else a sweep has taken the draft for a dead one
                os.rename(draft, path)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _try(fd: int, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _close_of(lock: weakref.ref[ProcessLock]) -> None:
    held = lock()
    if held is not None:
        held.close()
