"""What every part of a `Scope` needs: the engine's client, and how to ask it.

Owns the attachment; must not know what is asked. Must not know Qt or napari.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari_beadscope.core.errors import StateError
from napari_beadscope.core.messages import Event
from napari_beadscope.core.settings import Settings
from napari_beadscope.engine import EngineClient
from napari_beadscope.script.conduct import Conduct
from napari_beadscope.script.view import EngineView

STOP_TIMEOUT_S = 150.0
#: Trackers may have to compile before they answer.
PREPARE_S = 330.0


class Link:
    """An attachment to one engine; each call raises `StateError` without one."""

    def __init__(self, camera: str, settings: Settings) -> None:
        self.camera_id = camera
        self._settings = settings
        self._client: EngineClient | None = None
        self._stopped = False
        self._view = EngineView()
        self._conduct = Conduct.of_this_process()

    @property
    def settings(self) -> Settings:
        """The settings that hold for every process of the engine, and for front ends."""
        return self._view.settings or self._settings

    def on_event(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, on a thread of its own; return what ends that."""
        return self._view.subscribe(callback)

    def _attached(self) -> EngineClient:
        self._conduct.checkpoint()
        if self._client is None:
            why = "was stopped" if self._stopped else "is not started"
            raise StateError(f"the Scope {why}", "make a new one" if self._stopped else "start it")
        return self._client

    def _ask(self, command: Any, timeout_s: float = 30.0) -> Any:
        client = self._attached()
        self._conduct.note(client.info.engine_id, command, self._view.locks)
        return client.ask(command, timeout_s)

    def _now(self) -> float:
        """Return the time, s, on a clock that stands still while the script is paused."""
        return time.monotonic() - self._conduct.paused_s
