"""The error tree. Every message says what went wrong, where, and the remedy.

Front ends show ``str(error)``; the CLI exits with code 2 for any `BeadscopeError`.
"""

from __future__ import annotations


class BeadscopeError(Exception):
    """Root of every error a user may see.

    Parameters
    ----------
    what : str
        What went wrong and where, as one clause without a full stop.
    remedy : str, optional
        What the user can do about it.

    Examples
    --------
    >>> str(InputError("no file at /data/x.tif", "check the path"))
    'no file at /data/x.tif: check the path'
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}: {remedy}" if remedy else what)


class InputError(BeadscopeError):
    """A file, value or command from the user cannot be used."""


class SettingsError(InputError):
    """A settings value or settings file is not valid.

    ``mistakes`` are all that were found, one sentence each.
    """

    def __init__(self, what: str, remedy: str = "", mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(what, remedy)
        self.mistakes = mistakes or (str(self),)


class DeviceError(BeadscopeError):
    """A camera or motor does not do what it was told."""


class TrackingError(BeadscopeError):
    """A tracking backend cannot be used or has failed."""


class StorageError(BeadscopeError):
    """A recording cannot be written or read."""


class RingError(BeadscopeError):
    """Shared memory cannot be created, attached or trusted."""


class EngineError(BeadscopeError):
    """The engine cannot be started, reached or told what to do."""


class EngineBusyError(EngineError):
    """Another engine owns the camera that was asked for."""


class StateError(EngineError):
    """The command is valid, but not in the present state."""


def named_error(name: str, what: str, remedy: str = "") -> BeadscopeError:
    """Return the error of the class called `name`, as it came over a wire or from a file.

    Examples
    --------
    >>> named_error("DeviceError", "the shutter is stuck", "free it")
    DeviceError('the shutter is stuck: free it')
    >>> type(named_error("Unheard", "something")).__name__
    'EngineError'
    """
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, BeadscopeError):
        return kind(what, remedy)
    return EngineError(what, remedy)
