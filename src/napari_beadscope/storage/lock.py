"""The sign that a recording is being written right now.

An advisory lock that the system lets go of when its process dies, however it dies, so neither a
crash nor a reused process number can mislead. Knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from filelock import FileLock, Timeout

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage.layout import LOCK_NAME
from napari_beadscope.storage.space import write_failure


class WritingLock:
    """Held while a recording is written or recovered. Use `take`; releasing twice is fine."""

    def __init__(self, lock: FileLock) -> None:
        self._lock: FileLock | None = lock

    @classmethod
    def take(cls, folder: Path, *, must_exist: bool = False) -> WritingLock:
        """Take the lock of the recording in `folder` at once.

        Raises
        ------
        StorageError
            Another process writes it, or the folder is missing or cannot be written.
        """
        if must_exist and not folder.is_dir():
            raise StorageError(f"there is no folder {folder}", "check the path")
        lock = FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise StorageError(
                f"the recording in {folder} is still being written by another process",
                "stop that recording first",
            ) from None
        except OSError as error:
            raise write_failure(folder, error) from error
        return cls(lock)

    @staticmethod
    def is_held(folder: Path) -> bool:
        """Return whether a process writes or recovers the recording in `folder` right now."""
        if not (folder / LOCK_NAME).exists():
            return False
        lock = FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written, so nobody does
            return False
        lock.release(force=True)  # its file stays, so that `recover` sees how the writer ended
        return False

    def release(self) -> None:
        """Let go of the lock and remove its file."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()  # while held: nobody else can hold it
            lock.release(force=True)
