"""What a command must satisfy before anything is done about it; each failure is one sentence.

Reads the state and changes nothing.
"""

from __future__ import annotations

import re

from napari_beadscope.core.commands import StartRecording
from napari_beadscope.core.errors import DeviceError, EngineError, InputError, StateError
from napari_beadscope.core.motion import NOBODY
from napari_beadscope.core.session_state import State, WorkerState
from napari_beadscope.core.types import MAX_BEAD, METHODS, AcquisitionMode, Bead, Calibration

_MIN_ROI_PX = 8
_MAX_MOTORS = 16  # rows of the table that holds their positions
_MOTOR_NAME = re.compile(r"[\w.][\w .+-]{0,63}")  # it becomes part of a file's name


def check_recording(state: State, command: StartRecording) -> AcquisitionMode:
    """Return the mode of a recording that can begin; raise what is in its way."""
    mode = _mode(command.mode)
    if state.recording is not None:
        raise StateError(
            f"a recording into {state.recording.task.folder} is on", "stop that one first"
        )
    for motor in state.motion.claims:
        check_unclaimed(state, motor)
    check_stream(state)
    if not command.folder:
        raise InputError("no folder is given to record into", "name a new or empty one")
    if "\0" in command.folder:
        raise InputError(f"{command.folder!r} cannot be a folder", "leave the null byte out")
    if (mode.tracks or mode.rois) and not state.beads:
        raise StateError(f"mode {mode.value} needs beads, and there are none", "find or add beads")
    if command.frames < 0 or not command.seconds >= 0:
        raise InputError("frames and seconds must not be negative", "use 0 for no limit")
    if mode.tracks and not state.trackers:
        raise EngineError("every tracker process failed for good", "restart the engine")
    check_not_failed(state, "camera")
    check_not_lost(state)
    for name in ("recorder", *(state.trackers if mode.tracks else ())):
        check_ready(state, name)
    if any(pending.changes or pending.setting for pending in state.pending):
        raise StateError(
            "beads, calibration, backend or camera are being changed", "try again in a moment"
        )
    return mode


def check_beads(state: State, beads: tuple[Bead, ...]) -> None:
    """Raise unless every bead has an ID of its own and an ROI of one size inside the frame."""
    ids = [bead.bead for bead in beads]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"bead {twice} is given twice", "give each bead an ID of its own")
    unfit = next((i for i in ids if not 0 <= i <= MAX_BEAD), None)
    if unfit is not None:
        raise InputError(f"{unfit} cannot be a bead's ID", f"use whole numbers to {MAX_BEAD}")
    if len({bead.roi.size for bead in beads}) > 1:
        raise InputError("the beads' ROIs differ in size", "use one ROI size for all beads")
    check_stream(state)
    assert state.stream is not None
    shape = state.stream.format.shape
    for bead in beads:
        roi = bead.roi
        if roi.size < _MIN_ROI_PX or not roi.inside(shape):
            raise InputError(
                f"the ROI of bead {bead.bead} (y0 {roi.y0}, x0 {roi.x0}, size {roi.size} px) "
                f"is not inside the frame of {shape[1]} x {shape[0]} px",
                "move the bead away from the edge, or choose a smaller ROI",
            )


def check_new_motor(state: State, name: str) -> None:
    """Raise unless a motor can be added under `name`."""
    if not name.strip():
        raise InputError("a motor needs a name", "give it one, such as focus")
    if not _MOTOR_NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} cannot be a motor's name", "use up to 64 letters, digits, _, - and +"
        )
    before = state.workers.get(f"motor-{name}")
    if before is not None and before.state is not WorkerState.FAILED:
        raise InputError(f"there is a motor named {name!r} already", "choose another name")
    if before is None and len(state.motors) >= _MAX_MOTORS:
        raise InputError(
            f"there are {_MAX_MOTORS} motors already, those that failed included",
            "use one of their names, or restart the engine",
        )


def check_motor(state: State, name: str) -> None:
    """Raise unless there is a motor of this name."""
    if f"motor-{name}" not in state.workers:
        known = [n.removeprefix("motor-") for n in state.workers if n.startswith("motor-")]
        raise InputError(
            f"there is no motor named {name!r}", f"known motors: {', '.join(known) or 'none'}"
        )


def check_unclaimed(state: State, motor: str, but_by: int = NOBODY) -> None:
    """Raise if a front end, other than that one, has this motor for itself."""
    claim = state.motion.claims.get(motor)
    if claim is None or (claim.client == but_by and not claim.ends):
        return
    if claim.ends:
        where = f"{claim.back_to:g} {state.reaches[motor][0]}"
        raise StateError(
            f"the {motor} motor is on its way back to {where} after {claim.why}",
            "wait until it is there, or stop it",
        )
    raise StateError(
        f"{claim.why} moves the {motor} motor", "wait until that is done, or stop the motor"
    )


def check_calibration(calibration: Calibration) -> None:
    """Raise unless the pixel size is a positive number of nm."""
    if not 0 < calibration.nm_per_px < float("inf"):
        raise InputError(
            f"nm per px is {calibration.nm_per_px}", "give the size of a pixel, above 0"
        )


def check_method(method: str | None) -> None:
    """Raise unless there is such a tracking method; None stands for the present one."""
    if method is not None and method not in METHODS:
        raise InputError(
            f"there is no tracking method {method!r}", f"choose {' or '.join(METHODS)}"
        )


def check_not_recording(state: State, what: str) -> None:
    """Raise if a recording is on, during which one can't do `what`."""
    if state.recording is not None:
        raise StateError(f"cannot {what} while recording", "stop the recording first")


def check_stream(state: State) -> None:
    """Raise if the camera has not said what its frames are."""
    if state.stream is None or state.waiting_format is not None:
        raise StateError("the camera is not ready yet", "wait until start-up has ended")


def check_not_failed(state: State, name: str) -> None:
    """Raise if a worker was given up."""
    if state.workers[name].state is WorkerState.FAILED:
        words = state.workers[name].words
        reason = f" ({words.what})" if words else ""
        kind = EngineError if name == "recorder" or name.startswith("tracker-") else DeviceError
        raise kind(f"the {name} process failed for good{reason}", "restart the engine")


def check_not_lost(state: State) -> None:
    """Raise if the camera's device does not answer."""
    if state.loss is not None:
        remedy = state.loss.remedy or "connect it and switch it on"
        raise DeviceError(f"the camera is lost ({state.loss.why})", f"{remedy}; it is looked for")


def check_ready(state: State, name: str) -> None:
    """Raise if a worker can't take orders now."""
    check_not_failed(state, name)
    if name == "camera":
        check_not_lost(state)
    if not state.is_ready(name):
        raise StateError(f"the {name} process is not ready", "try again in a moment")


def _mode(name: str) -> AcquisitionMode:
    try:
        return AcquisitionMode(name)
    except ValueError:
        known = ", ".join(mode.value for mode in AcquisitionMode)
        raise InputError(f"there is no acquisition mode {name!r}", f"use one of {known}") from None
