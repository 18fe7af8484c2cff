"""Events and errors in words a user can act on.

Owns the way from an engine's event or an exception to a `Message`. Must not know Qt or napari.
"""

from __future__ import annotations

import logging
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_beadscope.core import messages as events
from napari_beadscope.core.errors import BeadscopeError, EngineError
from napari_beadscope.ui.model import Message

MAX_MESSAGES = 200


def with_message(messages: tuple[Message, ...], message: Message) -> tuple[Message, ...]:
    """Return the newest messages with one more; one that repeats the last is counted in it.

    Examples
    --------
    >>> first = with_message((), Message("info", "saved", 1.0))
    >>> [(one.time_s, one.count) for one in with_message(first, Message("info", "saved", 2.0))]
    [(2.0, 2)]
    """
    last = messages[-1] if messages else None
    if last is not None and (last.severity, last.text) == (message.severity, message.text):
        return (*messages[:-1], replace(message, count=last.count + 1))
    return (*messages, message)[-MAX_MESSAGES:]


_RING_FULL = (
    "Frames are being dropped, because disk or trackers are too slow: track fewer beads, lower the "
    "frame rate, or record without video"
)
_NEVER_CAME = (
    "Frames are being dropped before they reach this computer: lower the frame rate, or look at "
    "the camera's cable and at what else runs here"
)


def message_of_error(error: BaseException, traceback_text: str = "", doing: str = "") -> Message:
    """Return the message for `error`: what went wrong and the remedy.

    Parameters
    ----------
        error : BaseException
            A `BeadscopeError` says what and remedy itself; others are named as unexpected.
        traceback_text : str
            Kept for the details view.
        doing : str
            What was being done, put before an unexpected error.

    Examples
    --------
        >>> from napari_beadscope.core.errors import InputError
        >>> message_of_error(InputError("no file at /x.tif", "check the path")).text
        'No file at /x.tif: check the path'
        >>> message_of_error(ZeroDivisionError("division by zero"), doing="Finding beads").text
        'Finding beads: unexpected ZeroDivisionError: division by zero'
    """
    if isinstance(error, BeadscopeError):
        text = str(error)
        text = text[:1].upper() + text[1:]
    else:
        where = f"{doing}: " if doing else ""
        text = f"{where}unexpected {type(error).__name__}: {error}"
    return Message("error", text, time.time(), traceback_text)


def end_of_engine(error: Exception, recording: Path | None) -> Exception:
    """Return the error to tell for an engine's end, which may have cut off a recording.

    Examples
    --------
    >>> from napari_beadscope.core.errors import EngineError
    >>> told = end_of_engine(EngineError("the engine is gone", "start it"), Path("/data/run"))
    >>> told.what, told.remedy.endswith("then press Live")
    ('the engine is gone and the recording was cut off', True)
    """
    if recording is None:
        return error
    what = error.what if isinstance(error, BeadscopeError) else f"the engine is gone ({error})"
    return EngineError(
        f"{what} and the recording was cut off",
        f"run `beadscope recover {shlex.quote(str(recording))}`, then press Live",
    )


def message_of_event(event: Any) -> Message | None:
    """Return the message for an engine's event, None for events that need no words.

    Examples
    --------
    >>> message_of_event(events.LiveChanged(False, "the file has ended")).text
    'The camera stopped: the file has ended'
    """
    match event:
        case events.WorkerLost(name=name, why=why, traceback=text, restarted=restarted):
            after = "it was restarted" if restarted else "it was not restarted"
            return _message(
                "warning" if restarted else "error", f"{name} ended: {why}; {after}", text
            )
        case events.CameraLost(why=why, remedy=remedy):
            what = f"the camera is lost: {why}; it is looked for until it is back"
            return _message("error", f"{what}: {remedy}" if remedy else what)
        case events.CameraBack(away_s=away_s):
            return _message("warning", f"the camera is back after {away_s:.0f} s")
        case events.FrontEndLost(what=what, halted=halted, going_back=back) if halted or back:
            return _message("warning", what)
        case events.BeadsChanged(why=why) | events.CalibrationChanged(why=why) if why:
            return _message("warning", why)
        case events.FramesDropped(count=count, missed=missed):
            return _message("warning", _RING_FULL if count > missed else _NEVER_CAME)
        case events.LiveChanged(streaming=False, why=why) if why:
            return _message("info", f"The camera stopped: {why}")
        case events.AcquisitionChanged(on=False, error=error, folder=folder) if error:
            return _message("error", f"The recording {folder} ended early: {error}")
        case events.Stopping(what=what, remedy=remedy) if what:
            return _message("error", f"{what}: {remedy}" if remedy else what)
        case events.Log(level=level, text=text) if level >= logging.WARNING:
            return _message("error" if level >= logging.ERROR else "warning", text)
    return None


def _message(severity: str, text: str, traceback_text: str = "") -> Message:
    return Message(severity, text[:1].upper() + text[1:], time.time(), traceback_text)


def no_display(platform: str) -> Message:
    """Return the message for a viewer that cannot draw."""
    return _message(
        "warning",
        f"There is no display (Qt platform {platform}), so that frames are not shown: "
        "set DISPLAY, or start napari under xvfb-run; tracking and recording go on",
    )
