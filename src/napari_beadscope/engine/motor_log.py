"""Takes what motors and sensors did from their table of recent positions into a recording.

Owns which samples belong to it. Must not know what reads them, nor how they are written.
"""

from __future__ import annotations

import logging
import time

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.messages import Shared
from napari_beadscope.engine.config import motor_history_spec
from napari_beadscope.ring import HistoryTable
from napari_beadscope.storage import RecordingWriter

_LOG = logging.getLogger(__name__)
_EVERY_S = 0.5
_LATE_NS = 100_000_000  # a sample is in the table by then, whatever the machine does


class MotorLog:
    """Writes samples now and then; what it fails to write costs no frame."""

    def __init__(self, shared: Shared) -> None:
        self._table = HistoryTable.attach(motor_history_spec(shared.motor_history))
        self._names: tuple[str, ...] = ()
        self._units: tuple[str, ...] = ()
        self._since_ns = -1
        self._next_s = 0.0
        self._failed = False

    def know(self, names: tuple[str, ...], units: tuple[str, ...]) -> None:
        """Say which motor's row is which."""
        self._names, self._units = names, units

    def begin(self) -> None:
        """Say that another recording begins, or goes on after its writer was killed."""
        self._since_ns, self._next_s, self._failed = -1, 0.0, False

    def write(self, writer: RecordingWriter, *, last: bool = False) -> None:
        """Write what is new, if it is time for that; all there is when it is the `last` time."""
        first_ns = writer.manifest.first_time_ns
        now_ns = time.monotonic_ns()
        if first_ns is None or self._failed or (now_ns * 1e-9 < self._next_s and not last):
            return
        self._next_s = now_ns * 1e-9 + _EVERY_S
        begins = self._since_ns < 0
        if begins:
            self._since_ns = writer.motors_after_ns()
        until_ns = now_ns if last else now_ns - _LATE_NS
        motors = []
        for row, (name, unit) in enumerate(zip(self._names, self._units, strict=False)):
            if not name:
                continue
            samples = self._table.read(row, self._since_ns)
            samples = samples[samples["time_ns"] <= until_ns]
            if begins:  # the newest before the first frame says where it was then
                before = int((samples["time_ns"] < first_ns).sum())
                samples = samples[max(0, before - 1) :]
            motors.append((name, unit, samples))
        try:
            writer.write_motors(motors)
        except StorageError as error:
            self._failed = True
            _LOG.warning("where the motors are can no longer be recorded: %s", error)
        else:
            self._since_ns = until_ns

    def close(self) -> None:
        """Let go of the table."""
        self._table.close()
