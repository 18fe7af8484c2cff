"""Room on the disk: how much is left, and a reserve that lets a recording end properly.

Knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from napari_beadscope.core.errors import StorageError

RESERVE_NAME = ".reserve"
_STEP = 1 << 20


def free_bytes(folder: Path) -> int:
    """Bytes an ordinary user can still write where `folder` is."""
    return shutil.disk_usage(folder).free


def check_space(folder: Path, needed: int, keep_free: int) -> None:
    """Refuse to write `needed` bytes when less than `keep_free` would be left.

    Raises
    ------
    StorageError
        Says how much is left and what to do.
    """
    try:
        free = free_bytes(folder)
    except OSError as error:  # somebody has removed or renamed it
        raise write_failure(folder, error) from error
    if free - needed < keep_free:
        raise StorageError(
            f"the disk of {folder} is nearly full: {free / 1e9:.2f} GB left, "
            f"{keep_free / 1e9:.2f} GB must stay free",
            "free some space, or record to another disk",
        )


def write_failure(folder: Path, error: OSError | ValueError) -> StorageError:
    """Return what a failed write in `folder` means to the user."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"the disk of {folder} is full",
            "what was recorded so far is safe; free some space, or record to another disk",
        )
    if number in (errno.EMFILE, errno.ENFILE):
        return StorageError(
            f"too many files are open for the movies in {folder}",
            "record fewer beads, or raise the limit with `ulimit -n`",
        )
    return StorageError(
        f"cannot write to {folder} ({getattr(error, 'strerror', '') or error})",
        "check the disk and permissions",
    )


class Reserve:
    """A file of allocated but empty bytes; giving it up makes room for the end of a recording."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESERVE_NAME
        self._size = 0

    def ensure(self, size: int) -> None:
        """Hold at least `size` bytes and a MiB.

        Raises
        ------
        OSError
            The disk is full.
        """
        if size + _STEP <= self._size:
            return
        wanted = size + size // 4 + 2 * _STEP
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, wanted)
            else:
                os.lseek(fd, self._size, os.SEEK_SET)
                for start in range(self._size, wanted, _STEP):
                    os.write(fd, bytes(min(_STEP, wanted - start)))
        finally:
            os.close(fd)
        self._size = wanted

    def give_up(self) -> None:
        """Free the bytes; twice is fine."""
        self._size = 0
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
