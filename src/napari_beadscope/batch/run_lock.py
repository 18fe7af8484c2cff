"""The sign that a batch's folder is being written by a run.

The system lets go of it when that process dies, however it dies. Knows nothing of runs.
"""

from __future__ import annotations

from pathlib import Path

from napari_beadscope.batch.service import BatchError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.ring.lock import ProcessLock, is_held, remove_unheld

NAME = ".running"


class RunLock(Closing):
    """Held while a run writes into a batch's folder.

    Raises
    ------
    BatchError
        Another run has it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        try:
            remove_unheld(path.with_name(f"{NAME}.new"))
            remove_unheld(path)
            self._lock = ProcessLock(path)
        except FileExistsError:
            raise BatchError(
                f"another run writes into {folder}", "wait for it, or end it first"
            ) from None
        except OSError as error:
            raise BatchError(
                f"cannot write to {folder} ({error.strerror})", "check the disk and permissions"
            ) from error

    def close(self) -> None:
        """Let go; twice is fine."""
        if self._lock.is_open:
            self._lock.path.unlink(missing_ok=True)
            self._lock.close()


def is_running(folder: Path) -> bool:
    """Return whether a run writes into a batch's folder right now."""
    return is_held(folder / NAME)
