"""motors.csv: where motors were and what sensors read while a recording was made.

Owns the format, ``time_s,motor,position,unit``, and that a sample is written once, also after its
writer was killed. Knows nothing of where samples come from.

A line is one sample: seconds since the recording's first frame, as in the other tables, the
motor's name, where it was, and in which unit. Lines are in the order of time. Between two samples
of a motor it moved steadily.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage import tables
from napari_beadscope.storage.manifest import FileRecord
from napari_beadscope.storage.pixels import file_record

MOTORS_NAME = "motors.csv"
#: motors.csv: positions are in the motor's own unit.
MOTORS = np.dtype([("time_s", "<f8"), ("motor", "<U64"), ("position", "<f8"), ("unit", "<U16")])
_SPECIAL = str.maketrans(dict.fromkeys(',"\r\n#', " "))


class MotorTable:
    """Appends samples; the file begins with the first of them. Closing twice is fine.

    Examples
    --------
    >>> import tempfile
    >>> table = MotorTable(Path(tempfile.mkdtemp()))
    >>> sample = np.array([(2_000_000_000, 7.5)], [("time_ns", "<i8"), ("value", "<f8")])
    >>> table.append([("focus", "um", sample)], first_time_ns=1_500_000_000)
    >>> table.path.read_text().splitlines()
    ['time_s,motor,position,unit', '0.500000,focus,7.500000,um']
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MOTORS_NAME
        self._table: tables.TableWriter | None = None
        if self.path.exists():
            self._table = tables.TableWriter(self.path, tables.header(MOTORS))

    def last_time_s(self) -> float:
        """Return when the newest sample on disk was taken; minus infinity if there is none."""
        if self._table is None:
            return -np.inf
        with open(self.path, "rb") as file:
            file.seek(max(0, self._table.size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
        try:
            return float(lines[-1].partition(",")[0])
        except (IndexError, ValueError):
            return -np.inf

    def append(self, motors: Iterable[tuple[str, str, np.ndarray]], first_time_ns: int) -> None:
        """Write samples of motors, each with its name, unit and ``time_ns`` and ``value`` (n,).

        Raises
        ------
        OSError
            The disk is full or fails: nothing was written.
        """
        rows = [
            ((int(time_ns) - first_time_ns) * 1e-9, name, value, unit.translate(_SPECIAL))
            for name, unit, samples in motors
            for time_ns, value in samples.tolist()
        ]
        if not rows:
            return
        if self._table is None:
            self._table = tables.TableWriter(self.path, tables.header(MOTORS))
        rows.sort(key=lambda row: row[0])
        lines = (f"{at:.6f},{name},{value:.6f},{unit}\n" for at, name, value, unit in rows)
        self._table.append("".join(lines).encode())

    def finish(self) -> Iterator[FileRecord]:
        """Wait until all is on the disk itself; describe the file, if there is one."""
        if self._table is not None:
            self._table.sync()
            yield describe(self.path)

    def close(self) -> None:
        """Close the file."""
        if self._table is not None:
            self._table.close()


def describe(path: Path) -> FileRecord:
    """Describe motors.csv for the manifest."""
    with open(path, "rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return file_record(path, "motors", lines - 1)


def read_motors(folder: Path) -> np.ndarray:
    """Return the samples of motors.csv, structured `MOTORS`; none when there is no file.

    Raises
    ------
    StorageError
        The file is not what it should be.
    """
    return tables.read_table(folder / MOTORS_NAME, MOTORS)


def positions_at(samples: np.ndarray, motor: str, times_s: np.ndarray) -> np.ndarray:
    """Return where a motor was at some times, between its samples by linear interpolation.

    Before its first and after its last sample it was where it was then.

    Parameters
    ----------
    samples : ndarray (n,)
        Structured `MOTORS`.
    motor : str
        Its name.
    times_s : ndarray (t,)
        Seconds since the first frame.

    Raises
    ------
    StorageError
        There are no samples of it; the message says of which there are.
    """
    own = samples[samples["motor"] == motor]
    if not len(own):
        known = ", ".join(np.unique(samples["motor"])) or "none"
        raise StorageError(f"the recording has no motor {motor!r}", f"it has {known}")
    return np.interp(times_s, own["time_s"], own["position"])
