"""Rules of the session state machine for settings: checked once, then true for every process.

Knows nothing of what workers do with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_beadscope.core.commands import SetSettings
from napari_beadscope.core.messages import SettingsChanged
from napari_beadscope.core.orders import SetTask, UseSettings
from napari_beadscope.core.session_checks import check_not_recording
from napari_beadscope.core.session_state import Limits
from napari_beadscope.core.session_turn import Asker, Turn

if TYPE_CHECKING:
    from napari_beadscope.core.settings import EngineSettings

_UNASKED = -1  # number of an order whose report answers no command


def ask(turn: Turn, asker: Asker, command: SetSettings) -> None:
    """Let other settings hold: tell every process and every front end."""
    from napari_beadscope.core.settings import Settings

    check_not_recording(turn.state, "change the settings")
    settings = Settings.from_dict(command.settings)  # raises what is wrong
    state = turn.state
    turn.set(settings=settings.to_dict(), limits=limits_of(settings.engine, state.limits))
    for name in state.workers:
        tell(turn, name)  # one that is not ready yet is told when it is
    profiles = settings.tracking.profiles or settings.recording.profiles
    if profiles != state.profiles:
        turn.set(profiles=profiles)
        for name in turn.state.trackers:
            if turn.state.is_ready(name):
                turn.tell(name, SetTask(_UNASKED, turn.state.live_task()))
    turn.publish(SettingsChanged(turn.state.settings))
    turn.reply(asker)


def tell(turn: Turn, name: str) -> None:
    """Tell a worker the settings, if they are not those that it was started with."""
    if turn.state.settings and turn.state.is_ready(name):
        turn.tell(name, UseSettings(turn.state.settings))


def limits_of(engine: EngineSettings, others: Limits) -> Limits:
    """Return the supervisor's patience as the settings want it."""
    wanted: dict[str, Any] = {
        name: getattr(engine, name)
        for name in ("stall_s", "start_timeout_s", "grace_s", "max_restarts", "restart_window_s")
    }
    return replace(others, **wanted)
