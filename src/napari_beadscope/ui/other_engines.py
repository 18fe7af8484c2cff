"""Engines that run on this machine and that this viewer is not attached to.

Owns how they are looked for, the words for one that records, and that no second engine is started
beside such a one. Must not know Qt.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from napari_beadscope.core.errors import BeadscopeError, StateError
from napari_beadscope.ui.jobs import Job, JobLane

if TYPE_CHECKING:
    from napari_beadscope.ui.ports import ScopeSource
    from napari_beadscope.ui.session import Session


class OtherEngines:
    """The engines of others, of an earlier viewer, or of a script.

    Parameters
    ----------
    session : Session
        Whose `model.engines` is filled.
    scopes : ScopeSource
        Knows what runs.
    """

    def __init__(self, session: Session, scopes: ScopeSource) -> None:
        self._session, self._scopes = session, scopes
        self._lane = JobLane(session.launch, lambda _: None)

    def look(self) -> None:
        """Fill `model.engines`; nothing is done while a look is on its way."""
        if not self._lane.busy:
            model = self._session.model
            self._lane.submit(
                Job(
                    "Looking for running engines",
                    self._scopes.running,
                    lambda engines: setattr(model, "engines", tuple(engines)),
                    lambda outcome: None,  # logged; the next look may succeed
                    quick=True,
                )
            )

    def close(self) -> None:
        """Ignore what comes back."""
        self._lane.close()

    @property
    def found(self) -> tuple[Any, ...]:
        """Engines other than this viewer's, oldest first."""
        scope, own = self._session.scope, ""
        if scope is not None:
            with contextlib.suppress(BeadscopeError):
                own = scope.engine.engine_id
        return tuple(one for one in self._session.model.engines if one.engine_id != own)

    @property
    def recording(self) -> Any:
        """The newest of them that records, None if none does."""
        return next((one for one in reversed(self.found) if one.recording), None)

    @property
    def offered(self) -> Any:
        """The one to attach to: one that records, else the newest if there is no own engine."""
        found = self.found if self._session.scope is None else ()
        return self.recording or (found[-1] if found else None)

    def refuse(self, camera_id: str) -> None:
        """Raise `StateError` if `camera_id` is recorded already; any thread may call.

        To attach instead would hand what was said next (beads, Record) to that recording.
        """
        for one in self._scopes.running():
            if one.recording and one.camera == camera_id:
                raise StateError(f"a microscope runs and {records(one)}", "press Attach in Camera")


def records(engine: Any) -> str:
    """Return 'records (since 16:46)'."""
    since = time.localtime(engine.recording_since_unix_s)
    return f"records (since {time.strftime('%H:%M', since)})"
