"""Appending to a file so that nothing of it is ever wrong: all of a write, or none.

Owns what is done with the file's number at the system. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import numpy as np

_MAX_BUFFERS = 512  # below every system's IOV_MAX


def write_all(fd: int, buffers: Sequence[bytes | np.ndarray]) -> None:
    """Write every byte of `buffers` at the file's position, with as few system calls as can be.

    Raises
    ------
    OSError
        Some of it may have been written.
    """
    views = [memoryview(buffer).cast("B") for buffer in buffers]  # type: ignore[arg-type]
    gather = getattr(os, "writev", None)
    while views:
        if gather is not None and len(views) > 1:
            written = gather(fd, views[:_MAX_BUFFERS])
        else:
            written = os.write(fd, views[0])
        while views and written >= len(views[0]):
            written -= len(views[0])
            del views[0]
        if written:
            views[0] = views[0][written:]


def check_untouched(fd: int, end: int) -> None:
    """Raise OSError if another program has shortened the file to less than `end`, or removed it."""
    found = os.fstat(fd)
    if found.st_size < end or found.st_nlink == 0:
        raise OSError(errno.EIO, "another program has shortened or removed a file of the recording")


def cut_file(fd: int, end: int) -> None:
    """Cut the file off at `end` and go on writing there; a shorter file is not filled up."""
    if os.fstat(fd).st_size > end:
        os.ftruncate(fd, end)
    os.lseek(fd, end, os.SEEK_SET)
