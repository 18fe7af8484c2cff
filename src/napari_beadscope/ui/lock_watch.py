"""Keeps what the model says about the locks true, and tells when one has ended by itself.

Must not know Qt or any dock: beads are coloured and the user is told also with the dock closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari_beadscope.core.locks import Locks
from napari_beadscope.core.messages import LocksChanged
from napari_beadscope.ui.model import Message, SessionModel


class LockWatch:
    """Follows the engine's announcements about the locks.

    Parameters
    ----------
    model : SessionModel
        Whose `locks` and `locked` it keeps.
    say : callable
        Shows a `Message` to the user.
    """

    def __init__(self, model: SessionModel, say: Callable[[Message], None]) -> None:
        self._model = model
        self._say = say

    def heard(self, event: Any) -> None:
        """Take an event of the engine in."""
        if isinstance(event, LocksChanged):
            before = self._model.locks
            self.take(event.locks)
            for name, old, new in (
                ("XY-lock", before.xy_state, event.locks.xy_state),
                ("Z-lock", before.z_state, event.locks.z_state),
            ):
                if new.phase == "stopped" and old.phase != "stopped":
                    self._say(Message("warning", f"The {name} ended: {new.why}", time.time()))

    def take(self, locks: Locks | None) -> None:
        """Show these locks; None when there is no engine."""
        locks = locks or Locks()
        self._model.locks, self._model.locked = locks, locks.locked
