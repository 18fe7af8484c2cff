"""Aravis' own fake GigE Vision camera, as a process that a test can kill and start again.

Owns that process, and that there is one at a time on a machine: it listens at a port that cannot
be chosen. Must not know `Camera`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import FileLock

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.lifetime import Opening

_PROGRAM = "arv-fake-gv-camera-0.8"
_ADDRESS, _PORT = "127.0.0.1", 3956
_PATIENCE_S, _TURN_S = 20.0, 300.0
#: A command to read the register of the protocol's version, which needs no control of the device.
_READ = bytes.fromhex("4201 0080 0004 0001 0000 0000")


class FakeGigeCamera(Opening):
    """A camera on this machine; ``with`` plugs it in, and out at the end.

    Parameters
    ----------
    serial : str
        Its serial number.
    lost_packets : int
        How many of 1000 packets it does not send.

    Attributes
    ----------
    id : str
        Its ID for `open_camera`.
    """

    id = f"aravis:{_ADDRESS}"

    def __init__(self, serial: str = "BEADSCOPE", lost_packets: int = 0) -> None:
        ratio = ["-r", str(lost_packets)] if lost_packets else []
        self._command = [_PROGRAM, "-i", _ADDRESS, "-s", serial, *ratio]
        self._lock = FileLock(Path(tempfile.gettempdir()) / "beadscope-fake-gige-camera.lock")
        self._process: subprocess.Popen | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether this machine has the program (Debian: ``aravis-tools``)."""
        return shutil.which(_PROGRAM) is not None

    def open(self) -> None:
        """Wait for this machine's turn, then plug it in."""
        self._lock.acquire(timeout=_TURN_S)
        self.plug_in()

    def close(self) -> None:
        """Unplug it and let others have a turn."""
        self.unplug()
        self._lock.release()

    def plug_in(self) -> None:
        """Start the process and wait until it answers."""
        if self._process is not None:
            return
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)
        end = time.monotonic() + _PATIENCE_S
        while not _answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.unplug()
                raise DeviceError(
                    "Aravis' fake camera cannot be started", "see whether another one runs"
                )

    def unplug(self) -> None:
        """Kill the process as a power failure would; does nothing if it is unplugged."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def _answers() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(0.1)
        with contextlib.suppress(OSError):
            caller.sendto(_READ, (_ADDRESS, _PORT))
            return bool(caller.recv(64))
    time.sleep(0.02)
    return False
