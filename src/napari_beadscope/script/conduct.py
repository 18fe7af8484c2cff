"""A script's side of its run: pauses, progress, and what it has set going.

The run's record has files beside it: ``.pause`` is there while the script is to wait (others make
and remove it), ``.state`` says how far it is, ``.did`` lists what would go on without it. Only the
script's process writes the last two. Must not know what the script does.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import msgspec

from napari_beadscope.core.commands import (
    Command,
    MoveMotor,
    SetXYLock,
    SetZLock,
    StartRecording,
)
from napari_beadscope.core.locks import Locks

#: Names the record of the run that a process belongs to.
RUN_VARIABLE = "BEADSCOPE_RUN"
_POLL_S = 0.02


class RunState(msgspec.Struct, frozen=True):
    """How far a script is, as it says, and whether it waits.

    ``done`` of ``total`` (0: it says nothing) at ``told_unix_s``; it began to say so at
    ``since_unix_s`` with ``first_done``, and waited ``paused_s`` altogether, of which
    ``paused_first_s`` before that.
    """

    done: float = 0.0
    total: float = 0.0
    text: str = ""
    since_unix_s: float = 0.0
    first_done: float = 0.0
    told_unix_s: float = 0.0
    paused: bool = False
    paused_s: float = 0.0
    paused_first_s: float = 0.0

    @property
    def fraction(self) -> float:
        """Share that is done, 0 if nothing is known.

        Examples
        --------
        >>> RunState(3, 4).fraction
        0.75
        """
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    def left_s(self, now_unix_s: float) -> float | None:
        """Return how long the rest takes if it goes on as before; None if that is not known.

        Examples
        --------
        >>> RunState(2, 10, since_unix_s=100, told_unix_s=104).left_s(106)
        14.0
        """
        gained = self.done - self.first_done
        if self.total <= 0 or gained <= 0:
            return None
        took = self.told_unix_s - self.since_unix_s - (self.paused_s - self.paused_first_s)
        waited = 0.0 if self.paused else now_unix_s - self.told_unix_s
        return max(0.0, max(0.0, took) / gained * (self.total - self.done) - max(0.0, waited))

    @classmethod
    def load(cls, path: Path) -> RunState:
        """Read it; what is not there or not whole is empty."""
        try:
            return _STATES.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return cls()


class Deed(msgspec.Struct, frozen=True, array_like=True):
    """Something that a script has set going on an engine, and that would go on without it.

    ``kind`` is 'move' (``name``: motor, ``target``), 'record' (``name``: folder), 'xy' or 'z'
    (``on``: the script switched the lock on, else it switched it off).
    """

    engine_id: str
    kind: str
    name: str = ""
    target: float = 0.0
    on: bool = True


#: Made once, before threads use them: msgspec 0.22 crashes if several are the first to.
_STATES, _DEEDS = msgspec.json.Decoder(RunState), msgspec.json.Decoder(Deed)


class Conduct:
    """What a `Scope` tells the run it belongs to; outside a run it does nothing.

    Parameters
    ----------
    record : Path, optional
        The run's record.
    """

    def __init__(self, record: Path | None) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._state = RunState()
        #: How long it has waited, s.
        self.paused_s = 0.0

    @classmethod
    def of_this_process(cls) -> Conduct:
        """Return that of the run whose process this is."""
        found = os.environ.get(RUN_VARIABLE, "")
        return cls(Path(found) if found else None)

    def checkpoint(self) -> None:
        """Wait while the run is paused."""
        if self._record is None:
            return
        pause = pause_file(self._record)
        if not pause.exists():
            return
        with self._lock:
            began = time.monotonic()
            before_s = self.paused_s
            self._save(msgspec.structs.replace(self._state, paused=True))
            try:
                while pause.exists():
                    time.sleep(_POLL_S)
            finally:
                self.paused_s = before_s + time.monotonic() - began
                self._save(
                    msgspec.structs.replace(self._state, paused=False, paused_s=self.paused_s)
                )

    def tell(self, done: float, total: float, text: str) -> None:
        """Say how far the script is."""
        now = time.time()
        with self._lock:
            old = self._state
            again = old.total == total and done >= old.done
            first = () if again else (now, done, self.paused_s)
            since, first_done, paused_first = first or (
                old.since_unix_s,
                old.first_done,
                old.paused_first_s,
            )
            self._save(
                RunState(
                    done, total, text, since, first_done, now, False, self.paused_s, paused_first
                )
            )

    def note(self, engine_id: str, command: Command, locks: Locks) -> None:
        """Write down what is about to be set going, before it is: a kill may come in between.

        A lock that was on before is not the script's.
        """
        if self._record is None:
            return
        match command:
            case MoveMotor(name=name, target=target):
                deed = Deed(engine_id, "move", name, target)
            case StartRecording(folder=folder):
                deed = Deed(engine_id, "record", folder)
            case SetXYLock(lock=lock) if lock is None or locks.xy is None:
                deed = Deed(engine_id, "xy", on=lock is not None)
            case SetZLock(lock=lock) if lock is None or locks.z is None:
                deed = Deed(engine_id, "z", on=lock is not None)
            case _:
                return
        with deeds_file(self._record).open("ab") as file:
            file.write(msgspec.json.encode(deed) + b"\n")

    def _save(self, state: RunState) -> None:
        self._state = state
        if self._record is None:
            return
        path = state_file(self._record)
        draft = path.with_suffix(f".{os.getpid()}.part")
        draft.write_bytes(msgspec.json.encode(state))
        os.replace(draft, path)


def progress_words(state: RunState, now_unix_s: float) -> str:
    """Return how far a script is and the time left, in words; '' if it says nothing.

    Examples
    --------
    >>> state = RunState(3, 10, "magnet at 2 mm", since_unix_s=100, told_unix_s=130)
    >>> progress_words(state, 130)
    '3 of 10, about 1 min 10 s left: magnet at 2 mm'
    """
    if state.total <= 0:
        return ""
    left_s = state.left_s(now_unix_s)
    left = "" if left_s is None or state.done >= state.total else f", about {_span(left_s)} left"
    text = f": {state.text}" if state.text else ""
    return f"{state.done:g} of {state.total:g}{left}{text}"


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def pause_file(record: Path) -> Path:
    """Return the file that is there while the script is to wait."""
    return record.with_suffix(".pause")


def state_file(record: Path) -> Path:
    """Return the file of its `RunState`."""
    return record.with_suffix(".state")


def deeds_file(record: Path) -> Path:
    """Return the file of its deeds, one a line."""
    return record.with_suffix(".did")


def read_deeds(record: Path) -> list[Deed]:
    """Return what the script has set going, in order; a line cut short is left out."""
    deeds = []
    try:
        lines = deeds_file(record).read_bytes().splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            deeds.append(_DEEDS.decode(line))
        except msgspec.MsgspecError:
            continue
    return deeds
