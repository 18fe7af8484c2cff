"""Who carries out which command: one owner each.

The supervisor checks every command and passes on what is for a worker; the rest it does itself. A
front end that wants to know what can be asked for reads `script.catalogue`.
"""

from __future__ import annotations

from napari_beadscope.core import commands

#: Commands that a worker carries out.
_WORKERS: dict[type[commands.Message], str] = {
    commands.StartLive: "camera",
    commands.StopLive: "camera",
    commands.SetCamera: "camera",
    commands.GetCamera: "camera",
    commands.SetBeads: "trackers",
    commands.SetCalibration: "trackers",
    commands.SetBackend: "trackers",
    commands.StartRecording: "recorder",
    commands.StopRecording: "recorder",
    commands.SetXYLock: "control",
    commands.ExecuteXYLock: "control",
    commands.SetZLock: "control",
    commands.MoveMotor: "motor",
    commands.StopMotor: "motor",
}


def owner_of(command: type[commands.Message]) -> str:
    """Return who carries out a command: a kind of worker, or the supervisor.

    Examples
    --------
    >>> owner_of(commands.StartLive), owner_of(commands.Shutdown)
    ('camera', 'supervisor')
    """
    return _WORKERS.get(command, "supervisor")
