"""Events and errors in words a user can act on.

Owns the way from an engine's event or an exception to a `Message`. Must not know Qt or napari.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from napari_beadscope.core import messages as events
from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.ui.model import Message


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
