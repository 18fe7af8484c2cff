"""Rules of the session state machine for a camera whose device does not answer any more.

Unplugged, switched off or taken by another program: its process says so with a `DeviceError` and
ends, and is started again until the device is back, as long as the engine lives. What is a fault
of the process itself is not a loss and is given up after some restarts, by `core.session`.
Knows nothing of commands.
"""

from __future__ import annotations

from napari_beadscope.core.messages import CameraBack, CameraLost
from napari_beadscope.core.orders import Remark
from napari_beadscope.core.session_state import State, Worker
from napari_beadscope.core.session_turn import Turn

_REMEMBERED = 8


def is_loss(state: State, worker: Worker) -> bool:
    """Return whether a worker that ended did so because a camera in use does not answer.

    A source that can wait, such as a file, would fail the same way again.
    """
    device = worker.words is not None and worker.words.error == "DeviceError"
    live = state.stream is not None and not state.stream.can_wait
    return worker.name == "camera" and worker.was_ready and device and live


def lose(turn: Turn) -> float:
    """Note the loss, tell it if it is news; return in how many seconds to look for the camera."""
    state, limits = turn.state, turn.state.limits
    camera = state.workers["camera"]
    assert camera.words is not None
    why, remedy = camera.words.what, camera.words.remedy
    if state.loss is None or state.loss.why != why:
        since_s = turn.now_s if state.loss is None else state.loss_since_s
        turn.set(loss=CameraLost(why, remedy), loss_since_s=since_s)
        turn.publish(CameraLost(why, remedy))
    lately = [at for at in camera.losses_s if turn.now_s - at < limits.restart_window_s]
    losses = (*lately, turn.now_s)[-_REMEMBERED:]
    turn.worker("camera", losses_s=losses, fatal=False)
    if len(losses) == 1:
        return 0.0
    return min(limits.camera_retry_s, limits.backoff_s * 2 ** (len(losses) - 2))


def find_again(turn: Turn) -> None:
    """Tell that the camera is back, the recording too."""
    loss = turn.state.loss
    if loss is None:
        return
    away_s = turn.now_s - turn.state.loss_since_s
    turn.set(loss=None)
    turn.publish(CameraBack(away_s))
    if turn.state.recording is not None:
        turn.tell("recorder", Remark(f"the camera was lost for {away_s:.1f} s: {loss.why}"))
