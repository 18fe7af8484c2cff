"""The journal of a batch: one row for each unit of work, and nothing else says what is done.

Owns the SQLite file. One process writes, any number read. A result counts once its row says
`done`, which is on the disk before anybody is told. Must not know how units are computed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.batch.service import BatchError
from napari_beadscope.batch.units import Unit, UnitId
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.lifetime import Closing

NAME = "journal.sqlite"
_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS units (
    position TEXT NOT NULL, step TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    key TEXT NOT NULL, state TEXT NOT NULL, planned INTEGER NOT NULL, number INTEGER NOT NULL,
    category TEXT NOT NULL, version TEXT NOT NULL, settings TEXT NOT NULL, source TEXT NOT NULL,
    output TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '',
    started_s REAL, finished_s REAL, seconds REAL, cpu_seconds REAL,
    size INTEGER, sha256 TEXT, facts TEXT NOT NULL DEFAULT '{}',
    error TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT '', trace TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (position, step, first, last)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_COLUMNS = (
    "position, step, first, last, key, state, planned, number, category, version, settings, "
    "source, output, attempts, worker, started_s, finished_s, seconds, cpu_seconds, size, "
    "sha256, facts, error, remedy, trace"
)
_DAMAGED = "a damaged journal can be removed, and everything is computed again"
_LEAST_FREE = 1 << 20
_REMEDIES = {
    sqlite3.SQLITE_ERROR: _DAMAGED,  # tables that are not ours
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: "close what else has it open, then run it again; what is done is safe",
    sqlite3.SQLITE_LOCKED: "close what else has it open, then run it again; what is done is safe",
}
_WHERE = "WHERE position = ? AND step = ? AND first = ? AND last = ?"


@dataclass(frozen=True, slots=True)
class Row:
    """What the journal says of a unit.

    ``state`` is pending, running, done, failed, or blocked (something it needs has failed);
    ``planned`` whether the latest plan has it; ``started_s`` and ``finished_s`` are seconds
    since 1970; ``seconds`` and ``cpu_seconds`` how long it took; ``output`` is the file's name
    in the batch's folder; ``error``, ``remedy`` and ``trace`` say why it failed.
    """

    position: str
    step: str
    first: int
    last: int
    key: str
    state: str
    planned: bool
    number: int
    category: str
    version: str
    settings: str
    source: str
    output: str
    attempts: int
    worker: str
    started_s: float | None
    finished_s: float | None
    seconds: float | None
    cpu_seconds: float | None
    size: int | None
    sha256: str | None
    facts: dict[str, Any]
    error: str
    remedy: str
    trace: str

    @property
    def id(self) -> UnitId:
        """What identifies the unit in the batch."""
        return (self.position, self.step, self.first, self.last)


@dataclass(frozen=True, slots=True)
class Entry:
    """A unit as a run enters it into the journal."""

    unit: Unit
    version: str
    settings: str
    source: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many units and frames of a position and step are in a state, and how long they took."""

    position: str
    step: str
    state: str
    units: int
    frames: int
    seconds: float


class Journal(Closing):
    """A batch's journal. Use `Journal.create` to write it and `Journal.open` to look."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._db = database

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """Open the journal of a batch's folder for writing; it need not be there.

        Raises
        ------
        BatchError
            It cannot be written, or is not a journal.
        """
        path = folder / NAME
        with _told(path):
            folder.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                database.execute("PRAGMA busy_timeout = 10000")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                (found,) = database.execute("PRAGMA user_version").fetchone()
                _check_format(path, found)
                # All tables or none: somebody may be looking already.
                database.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
                database.execute(f"PRAGMA user_version = {_FORMAT}")
            except BaseException:
                database.close()
                raise
        return cls(path, database)

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Open the journal of a batch's folder to look, also while a run is on.

        Raises
        ------
        InputError
            There is none.
        BatchError
            It cannot be read.
        """
        path = folder / NAME
        if not path.is_file():
            raise InputError(f"{folder} is not the output of a batch", f"there is no {NAME} in it")
        with _told(path):
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                database.execute("PRAGMA busy_timeout = 10000")
                database.execute("PRAGMA query_only = 1")
                (found,) = database.execute("PRAGMA user_version").fetchone()
                _check_format(path, found)
                tables = database.execute("SELECT count(*) FROM sqlite_master WHERE name='units'")
                if tables.fetchone() == (0,):
                    raise InputError(f"the journal of {folder} is empty", "run the batch first")
            except BaseException:
                database.close()
                raise
        return cls(path, database)

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._db.close()

    # looking

    def rows(self, *, state: str = "", step: str = "", planned: bool = True) -> Iterator[Row]:
        """Give rows in the plan's order: of a state, of a step, of the latest plan only."""
        query = f"SELECT {_COLUMNS} FROM units WHERE planned >= ?"
        values: list[Any] = [int(planned)]
        for column, value in (("state", state), ("step", step)):
            if value:
                query += f" AND {column} = ?"
                values.append(value)
        with _told(self.path):
            cursor = self._db.execute(f"{query} ORDER BY number, position, step, first", values)
            for values_of_row in cursor:
                yield _row(values_of_row, self.path)

    def counts(self) -> tuple[Count, ...]:
        """Return how many units of the plan are in which state, by position and step."""
        query = (
            "SELECT position, step, state, count(*), sum(last - first), total(seconds) "
            "FROM units WHERE planned = 1 GROUP BY position, step, state ORDER BY max(number)"
        )
        with _told(self.path):
            return tuple(Count(*values) for values in self._db.execute(query))

    def note(self, name: str) -> Any:
        """Return what the run has noted under a name, None if nothing."""
        with _told(self.path):
            found = self._db.execute("SELECT value FROM run WHERE name = ?", (name,)).fetchone()
        return None if found is None else _from_json(found[0], self.path)

    # writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write everything in the block, or nothing of it."""
        with _told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def enter(self, entries: Iterable[Entry], keep: set[UnitId]) -> None:
        """Take in a plan: units in `keep` stay as they are, all others of it become pending."""
        with self.writing():
            self._db.execute("UPDATE units SET planned = 0")
            for number, entry in enumerate(entries):
                unit = entry.unit
                if unit.id in keep:
                    self._db.execute(
                        f"UPDATE units SET planned = 1, number = ? {_WHERE}", (number, *unit.id)
                    )
                    continue
                self._db.execute(
                    "INSERT OR REPLACE INTO units (position, step, first, last, key, state, "
                    "planned, number, category, version, settings, source, output) "
                    "VALUES (?, ?, ?, ?, ?, 'pending', 1, ?, ?, ?, ?, ?, ?)",
                    (
                        *unit.id, unit.key, number, unit.category, entry.version,
                        entry.settings, entry.source, unit.output,
                    ),
                )  # fmt: skip

    def adopt(self, rows: Iterable[Row]) -> None:
        """Take in rows of other journals as they are, numbered in this order."""
        marks = ", ".join("?" * len(Row.__dataclass_fields__))
        with self.writing():
            for number, row in enumerate(rows):
                values = [getattr(row, name) for name in Row.__dataclass_fields__]
                named = dict(zip(Row.__dataclass_fields__, values))
                named |= {"number": number, "facts": json.dumps(row.facts)}
                self._db.execute(
                    f"INSERT INTO units ({_COLUMNS}) VALUES ({marks})", list(named.values())
                )

    def drop(self, units: Sequence[UnitId]) -> None:
        """Remove rows that no plan has any more."""
        with self.writing():
            self._db.executemany(f"DELETE FROM units {_WHERE}", units)

    def set_running(self, unit: UnitId, worker: str, attempts: int) -> None:
        """Write that a worker has a unit; call inside `writing`."""
        self._db.execute(
            f"UPDATE units SET state='running', worker=?, attempts=?, started_s=? {_WHERE}",
            (worker, attempts, time.time(), *unit),
        )

    def set_pending(self, unit: UnitId, why: str) -> None:
        """Write that a unit is to be computed (again); call inside `writing`."""
        self._db.execute(
            f"UPDATE units SET state='pending', worker='', error=? {_WHERE}", (why, *unit)
        )

    def set_done(
        self,
        unit: UnitId,
        *,
        seconds: float,
        cpu_seconds: float,
        size: int,
        sha256: str,
        facts: dict[str, Any],
    ) -> None:
        """Write that a unit's output is complete, and in its place; call inside `writing`."""
        self._db.execute(
            "UPDATE units SET state='done', error='', remedy='', trace='', finished_s=?, "
            f"seconds=?, cpu_seconds=?, size=?, sha256=?, facts=? {_WHERE}",
            (time.time(), seconds, cpu_seconds, size, sha256, json.dumps(facts), *unit),
        )

    def set_failed(
        self, unit: UnitId, error: str, remedy: str = "", trace: str = "", state: str = "failed"
    ) -> None:
        """Write why a unit has no result; call inside `writing`."""
        self._db.execute(
            f"UPDATE units SET state=?, error=?, remedy=?, trace=?, finished_s=? {_WHERE}",
            (state, error, remedy, trace, time.time(), *unit),
        )

    def give_back(self) -> None:
        """Let units that nobody computes any more be pending."""
        with self.writing():
            self._db.execute("UPDATE units SET state='pending', worker='' WHERE state='running'")

    def set_note(self, name: str, value: Any) -> None:
        """Note something of the run as a whole, as JSON; call inside `writing`."""
        self._db.execute(
            "INSERT OR REPLACE INTO run (name, value) VALUES (?, ?)", (name, json.dumps(value))
        )


def _row(values: Sequence[Any], path: Path) -> Row:
    named = dict(zip(Row.__dataclass_fields__, values))
    facts = _from_json(named["facts"], path)
    return Row(**(named | {"planned": bool(named["planned"]), "facts": facts}))


def _from_json(text: Any, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise BatchError(f"the journal {path} is damaged ({error})", _DAMAGED) from error


def _check_format(path: Path, found: int) -> None:
    if found > _FORMAT:
        raise InputError(f"{path} was written by a newer version", "update napari-beadscope")


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _LEAST_FREE


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into one of our errors."""
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        is_short = code == sqlite3.SQLITE_IOERR and _free_bytes(path) < _LEAST_FREE
        if code == sqlite3.SQLITE_FULL or is_short:
            raise BatchError(f"the disk of {path} is full", "free space, then run it again; "
                             "what is done is safe") from error  # fmt: skip
        raise BatchError(
            f"the journal {path} cannot be used ({error})",
            _REMEDIES.get(code, "check the disk and permissions"),
        ) from error
    except OSError as error:
        raise BatchError(
            f"cannot write to {path.parent} ({error.strerror})", "check the disk and permissions"
        ) from error
