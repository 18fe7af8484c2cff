"""Rules of the session state machine for the camera's stream: a ring for each frame format.

Frames of another size, type or window of the sensor get a new ring, and the beads follow to
where they are in it. Knows nothing of commands.
"""

from __future__ import annotations

from napari_beadscope.core import session_annotations, session_recording
from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.messages import (
    BeadsChanged,
    CalibrationChanged,
    Stream,
    StreamChanged,
)
from napari_beadscope.core.orders import Attach, Ready, RunCamera, SetTask
from napari_beadscope.core.session_state import MakeStream
from napari_beadscope.core.session_turn import Turn
from napari_beadscope.core.types import Bead, Calibration
from napari_beadscope.core.window import follow

_UNASKED = -1  # number of an order whose report answers no command


def camera_format(turn: Turn, report: Ready) -> bool:
    """Ask for a new ring if the camera's frames don't fit into the present one."""
    state = turn.state
    if report.format is None or state.is_stopping:
        return False
    stream = state.stream
    if stream is not None and (stream.format, stream.window) == (report.format, report.window):
        turn.set(waiting_format=None)
        return False
    if state.recording is not None:  # it is frames of one format, and its readers hold the ring
        turn.set(waiting_format=report)
        what = "the camera's frame format has changed"
        session_recording.finish(turn, turn.head, DeviceError(what, "start another recording"))
        return True
    turn.do(MakeStream(report.format, report.fps, report.can_wait, report.window))
    return True


def join_stream(turn: Turn) -> None:
    """Let the camera write the present ring."""
    stream = turn.state.stream
    if stream is None:
        return
    turn.tell("camera", Attach(stream))
    if turn.state.streaming:
        turn.tell("camera", RunCamera(True))


def stream_made(turn: Turn, stream: Stream) -> None:
    """Take a new ring into use, with the beads where they are in its frames."""
    before, beads = turn.state.stream, turn.state.beads
    inside: tuple[Bead, ...] = beads
    left_out: tuple[int, ...] = ()
    if before is not None:
        inside, left_out = follow(beads, before.window, stream.window, stream.format.shape)
    turn.set(stream=stream, beads=inside)
    binning = 1 if before is None else stream.window.binning / before.window.binning
    dropped_zlut = _rescale(turn, binning)
    for name, worker in turn.state.workers.items():
        if worker.is_core and name != "camera":
            turn.tell(name, Attach(stream))
    for name in turn.state.trackers:  # they track nothing between the two orders
        turn.tell(name, SetTask(_UNASKED, turn.state.live_task()))
    join_stream(turn)
    turn.publish(StreamChanged(stream))
    if inside != beads:
        turn.publish(BeadsChanged(inside, _lost_sentence(left_out)))
        session_annotations.keep(turn, inside)
    if binning != 1:
        turn.publish(CalibrationChanged(turn.state.calibration, dropped_zlut))


def _rescale(turn: Turn, binning: float) -> str:
    """Let the pixel size follow a change of binning; return what to say about the Z-LUT."""
    old = turn.state.calibration
    if binning == 1:
        return ""
    turn.set(calibration=Calibration(old.nm_per_px * binning, ""))
    if not old.zlut:
        return ""
    return "the Z-LUT was measured with another binning and is not used any more: choose another"


def _lost_sentence(left_out: tuple[int, ...]) -> str:
    if not left_out:
        return ""
    names = ", ".join(str(bead) for bead in left_out)
    if len(left_out) == 1:
        return f"bead {names} is not in the camera's new frame and is not tracked any more"
    return f"beads {names} are not in the camera's new frame and are not tracked any more"
