"""What a run has left in a batch's folder: what of it counts, what is computed again.

Owns the comparison of plan, journal and files. A result is kept if its row says `done` with the
key that the plan gives it, and its file is there with the row's size; and results count only if
the source is what it was when the run began. Must not know workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from napari_beadscope.batch.compute import checksum
from napari_beadscope.batch.journal import Entry, Journal, Row
from napari_beadscope.batch.source import open_source
from napari_beadscope.batch.units import Unit, UnitId
from napari_beadscope.core.errors import BeadscopeError, InputError


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run has left.

    Attributes
    ----------
    done : frozenset of int
        Numbers of the units whose results are kept.
    changed : int
        Results that other settings, code or sources have made.
    lost : tuple of str
        Outputs that were done and are gone, cut or damaged.
    """

    done: frozenset[int]
    changed: int
    lost: tuple[str, ...]


def take_up(
    journal: Journal, folder: Path, entries: Sequence[Entry], *, verify: bool = False
) -> Earlier:
    """Bring the journal in line with a plan; return what is done already.

    Parameters
    ----------
    journal : Journal
        Open for writing.
    folder : Path
        The batch's folder.
    entries : sequence of Entry
        The plan's units, in its order.
    verify : bool
        Also compare the content of every output with its checksum.

    Raises
    ------
    InputError
        The folder has results of other recordings under the same names; nothing has changed.
    """
    rows = {row.id: row for row in journal.rows(planned=False)}
    done: list[int] = []
    lost: list[str] = []
    changed = 0
    for number, entry in enumerate(entries):
        row = rows.get(entry.unit.id)
        if row is None or row.state != "done":
            continue
        if row.key != entry.unit.key or row.output != entry.unit.output:
            _check_source(folder, row, entry)
            changed += 1
        elif is_whole(folder, row, verify=verify):
            done.append(number)
        else:
            lost.append(row.output)
    units = [entry.unit for entry in entries]
    journal.enter(entries, {units[number].id for number in done})
    _forget(journal, folder, rows.values(), units)
    return Earlier(frozenset(done), changed, tuple(lost))


def is_whole(folder: Path, row: Row, *, verify: bool = False) -> bool:
    """Return whether a unit's output is as its row says: its size, and if asked its content."""
    path = folder / row.output
    try:
        if not path.is_file() or path.stat().st_size != row.size:
            return False
        return not verify or checksum(path) == row.sha256
    except OSError:
        return False


def take_back(
    journal: Journal, made: Mapping[UnitId, Path], fingerprints: Mapping[Path, str]
) -> list[UnitId]:
    """Let no result count whose source has changed while it was read; return those units.

    Parameters
    ----------
    journal : Journal
        Open for writing.
    made : mapping of UnitId to Path
        Units that a run has computed or tried to, and their sources.
    fingerprints : mapping of Path to str
        What the sources were when the run began. One that is gone now has been read all the same.
    """
    changed = {path for path in set(made.values()) if _has_changed(path, fingerprints[path])}
    if not changed:
        return []
    ids = [row.id for row in journal.rows(state="done") if made.get(row.id) in changed]
    with journal.writing():
        for one in ids:
            journal.set_failed(one, f"{made[one]} has changed while it was read", "run it again")
    return ids


def _has_changed(path: Path, before: str) -> bool:
    try:
        with open_source(path) as source:
            return source.fingerprint() != before
    except (BeadscopeError, OSError):
        return path.exists()


def _check_source(folder: Path, row: Row, entry: Entry) -> None:
    """Refuse to put results in the place of another recording's, which is still there itself."""
    if row.source != entry.source and Path(row.source).exists():
        raise InputError(
            f"{folder} has results of {row.source} as position {row.position!r}, which is "
            f"{entry.source} in the plan",
            "name another folder in `output`, or remove the old results",
        )


def _forget(journal: Journal, folder: Path, rows: Iterable[Row], units: Sequence[Unit]) -> None:
    """Remove results of chunks that the plan divides otherwise now; their steps are in it."""
    steps = {unit.id[:2] for unit in units}
    ids: set[UnitId] = {unit.id for unit in units}
    outputs = {unit.output for unit in units}
    old = [row for row in rows if row.id[:2] in steps and row.id not in ids]
    if not old:
        return
    journal.drop([row.id for row in old])
    for row in old:
        name = PurePath(row.output)
        is_own = name.parts[:1] == ("positions",) and ".." not in name.parts
        path = folder / name
        if row.output not in outputs and is_own and (path.is_symlink() or path.is_file()):
            path.unlink(missing_ok=True)
