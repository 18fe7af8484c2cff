"""Several batches' results as one: partial runs, and those of other machines.

Owns what may be merged and what contradicts. The merged folder is an ordinary one: its journal
says what is done, and a run of its plan goes on from there. The merged batches are only read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from napari_beadscope.batch.flags import FLAGS_NAME, Flag, Thing, change_flags, read_flags
from napari_beadscope.batch.journal import Journal, Row
from napari_beadscope.batch.monitor import LIVE_NOTE, Snapshot
from napari_beadscope.batch.outcome import POSITIONS_NOTE, Field, outcome_of
from napari_beadscope.batch.plan import Plan, Sample
from napari_beadscope.batch.plan_file import load_plan, plan_mistakes
from napari_beadscope.batch.results import write_everything
from napari_beadscope.batch.selection import parse_selection, write_selection
from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.storage.yaml_file import read_yaml, write_yaml

PLAN_NAME = "plan.yaml"
_BLOCK = 1 << 20
_SAME = ("channels", "chunk_frames", "frame_interval_s", "nm_per_px")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge came to: units that are done and not, flags, and the tables made."""

    folder: Path
    positions: int
    done: int
    missing: int
    flags: int
    tables: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _One:
    folder: Path
    plan: Plan
    fields: dict[str, Field]
    rows: dict[tuple[str, str, int, int], Row]


def merge(
    folders: Sequence[Path],
    output: Path,
    *,
    samples: Sequence[Sample] | None = None,
    parquet: bool = False,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Merged:
    """Merge batches into a new folder.

    Positions are those of the first batch, then what the others have besides. Where two batches
    have the same unit, the one that is done counts; if both are, their results must be the same.
    Every result is checked against its journal on the way.

    Parameters
    ----------
    folders : sequence of Path
        Batches' folders.
    output : Path
        New folder.
    samples : sequence of Sample, optional
        Which position, by number in the merged batch, belongs to which sample; default: as the
        batches have it.
    parquet : bool
        Write tables as Parquet too.
    tell : callable
        Hears how many results are there, of how many.

    Raises
    ------
    InputError
        The batches were made with other steps, settings or versions, or contradict each other;
        or a result is not what its journal says. There is no new folder then.
    StorageError
        The folder is there already, or cannot be written.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise StorageError(f"{output} is there already", "name a new folder")
    for folder in folders:
        if folder.resolve() in (output.resolve(), *output.resolve().parents):
            raise StorageError(f"{output} is inside the batch {folder}", "name a folder beside it")
    batches = [_open(folder) for folder in folders]
    _check_alike(batches)
    fields, rows, home = _joined(batches)
    fields = _with_samples(fields, samples)
    flags = _flags(batches)
    part = output.with_name(f".{output.name}.part-{os.getpid()}")
    try:
        plan = _plan(batches, output, fields)
        _write(part, plan, fields, rows, home, tell)
        tables = _finish(part, fields, flags, parquet)
        if output.exists():
            output.rmdir()
        part.rename(output)
    except OSError as error:
        raise StorageError(
            f"cannot write {output} ({error.strerror or error})", "check the folder and free space"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    done = sum(row.state == "done" for row in rows)
    moved = tuple(output / table.relative_to(part) for table in tables)
    return Merged(output, len(fields), done, len(rows) - done, len(flags), moved)


def read_samples(path: Path) -> list[Sample]:
    """Read which positions are which sample: ``samples:`` as in a plan.

    Raises
    ------
    InputError
        The file cannot be read, or holds something else.
    """
    data = read_yaml(path, "samples", begin="samples:").data
    if set(data) != {"samples"}:
        raise InputError(f"{path} holds no samples", "write samples: {NAME: '0-3,5', ...}")
    whole = {"inputs": ["-"], "steps": ["-"], "output": "-", **data}
    try:
        return list(Plan.model_validate(whole).samples)
    except ValidationError as error:
        mistakes = "; ".join(str(one) for one in plan_mistakes(error))
        raise InputError(f"{path}: {mistakes}") from None


def _open(folder: Path) -> _One:
    with Journal.open(folder) as journal:
        noted = journal.note(POSITIONS_NOTE)
        rows = list(journal.rows())
    plan, _ = load_plan(folder / PLAN_NAME)
    if not noted or not rows:
        raise InputError(f"{folder} holds nothing that was run", "run the batch first")
    fields = {one["name"]: Field.from_dict(one) for one in noted}
    return _One(folder, plan, fields, {row.id: row for row in rows})


def _check_alike(batches: Sequence[_One]) -> None:
    """Refuse results that were not made in the same way."""
    first = batches[0]
    made = {row.step: (row.version, row.settings) for row in first.rows.values()}
    for other in batches[1:]:
        theirs = {row.step: (row.version, row.settings) for row in other.rows.values()}
        if list(made) != list(theirs) and set(made) != set(theirs):
            raise InputError(
                f"{first.folder} has the steps {', '.join(made)}, but {other.folder} has"
                f" {', '.join(theirs)}",
                "run both with the same steps",
            )
        for step, (version, settings) in made.items():
            if theirs[step] != (version, settings):
                what = "version" if theirs[step][0] != version else "settings"
                raise InputError(
                    f"the step '{step}' of {other.folder} has another {what} than that of"
                    f" {first.folder}".replace("another settings", "other settings"),
                    "run one of them again, so that both are made in the same way",
                )
        for name in _SAME:
            if getattr(first.plan, name) != getattr(other.plan, name):
                raise InputError(
                    f"'{name}' of the plan of {other.folder} is not that of {first.folder}",
                    "run one of them again with the other's",
                )


def _joined(
    batches: Sequence[_One],
) -> tuple[list[Field], list[Row], dict[tuple[str, str, int, int], Path]]:
    """Return all positions, all rows, and the batch that each row is from."""
    fields: dict[str, Field] = {}
    owner: dict[str, Path] = {}
    rows: dict[tuple[str, str, int, int], Row] = {}
    home: dict[tuple[str, str, int, int], Path] = {}
    for batch in batches:
        for name, one in batch.fields.items():
            other = fields.setdefault(name, one)
            owner.setdefault(name, batch.folder)
            if (Path(other.path).name, other.index) != (Path(one.path).name, one.index):
                raise InputError(
                    f"position {name} is {other.path} in {owner[name]}, but {one.path} in"
                    f" {batch.folder}",
                    "give the files different names and run one of them again",
                )
        for unit, row in batch.rows.items():
            there = rows.get(unit)
            if there is None or (row.state == "done" and there.state != "done"):
                rows[unit], home[unit] = row, batch.folder
            elif row.state == there.state == "done" and row.sha256 != there.sha256:
                position, step, low, high = unit
                raise InputError(
                    f"{home[unit]} and {batch.folder} have different results of step '{step}' of"
                    f" position {position}, frames {low} to {high - 1}",
                    "leave one of them out",
                )
    place = {name: at for at, name in enumerate(fields)}
    ordered = sorted(rows.values(), key=lambda row: (place[row.position], row.number))
    return list(fields.values()), ordered, home


def _with_samples(fields: list[Field], samples: Sequence[Sample] | None) -> list[Field]:
    if samples is None:
        return fields
    named: dict[int, str] = {}
    for sample in samples:
        for number in parse_selection(sample.fovs):
            if number >= len(fields):
                raise InputError(
                    f"sample '{sample.name}' has position {number}, but there are {len(fields)}",
                    "positions count from 0",
                )
            if named.setdefault(number, sample.name) != sample.name:
                raise InputError(
                    f"position {number} is in the samples '{named[number]}' and '{sample.name}'",
                    "a position belongs to one sample",
                )
    return [replace(one, sample=named.get(number)) for number, one in enumerate(fields)]


def _flags(batches: Sequence[_One]) -> dict[Thing, Flag]:
    flags: dict[Thing, Flag] = {}
    for batch in batches:
        for thing, flag in read_flags(batch.folder).items():
            if flags.setdefault(thing, flag) != flag:
                position, kind, number = thing
                raise InputError(
                    f"{kind} {number} of position {position} is not flagged alike in all"
                    f" {FLAGS_NAME}, as {batch.folder} shows",
                    "agree on one flag first",
                )
    return flags


def _write(
    part: Path,
    plan: dict[str, Any],
    fields: list[Field],
    rows: list[Row],
    home: dict[tuple[str, str, int, int], Path],
    tell: Callable[[int, int], None],
) -> None:
    """Write plan, results and, when all of them are there, the journal."""
    part.mkdir(parents=True)
    done = [row for row in rows if row.state == "done"]
    for number, row in enumerate(done, start=1):
        _copy(home[row.id] / row.output, part / row.output, row)
        tell(number, len(done))
    write_yaml(part / PLAN_NAME, plan, "Merged from several batches.")
    with Journal.create(part) as journal:
        journal.adopt(row if row.state in ("done", "failed") else _again(row) for row in rows)
        with journal.writing():
            journal.set_note(POSITIONS_NOTE, [one.to_dict() for one in fields])
            state = "complete" if len(done) == len(rows) else "interrupted"
            told = msgspec.structs.replace(Snapshot.nothing(), state=state)
            journal.set_note(LIVE_NOTE, msgspec.to_builtins(told))


def _again(row: Row) -> Row:
    return replace(row, state="pending", worker="", error="", remedy="", trace="")


def _copy(source: Path, target: Path, row: Row) -> None:
    """Copy a result, and refuse one that is not what the journal says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with open(source, "rb") as old, open(target, "wb") as new:
            while block := old.read(_BLOCK):
                digest.update(block)
                new.write(block)
            new.flush()
            os.fsync(new.fileno())
    except FileNotFoundError:
        raise InputError(f"{source} is gone", "run that batch again, it is made anew") from None
    if digest.hexdigest() != row.sha256:
        raise InputError(
            f"{source} is not what was written there", "run that batch again with --verify"
        )


def _plan(batches: Sequence[_One], output: Path, fields: list[Field]) -> dict[str, Any]:
    """Return a plan of all positions: one input for each file, its selection and its frames."""
    known = {item.path: item for one in batches for item in one.plan.inputs}
    taken: dict[tuple[str, tuple[int, int]], list[Field]] = {}
    for one in fields:
        taken.setdefault((one.path, one.frames), []).append(one)
    inputs = []
    for (path, _), some in taken.items():
        given = known.get(path)
        item: dict[str, Any] = given.model_dump(exclude_defaults=True) if given else {"path": path}
        item |= {"path": path, "positions": write_selection(tuple(one.index for one in some))}
        item.pop("sample", None)
        first, last = some[0].frames
        inputs.append({**item, "frames": f"{first}-{last - 1}"})
    data = batches[0].plan.to_dict() | {"inputs": inputs, "output": str(output)}
    data.pop("samples", None)
    order = [one.name for some in taken.values() for one in some]
    numbers: dict[str, list[int]] = {}
    for one in fields:
        if one.sample is not None:
            numbers.setdefault(one.sample, []).append(order.index(one.name))
    if numbers:
        data["samples"] = [
            {"name": name, "fovs": write_selection(tuple(some))} for name, some in numbers.items()
        ]
    return data


def _finish(part: Path, fields: list[Field], flags: dict[Thing, Flag], parquet: bool) -> list[Path]:
    if flags:
        change_flags(part, flags)
    with Journal.open(part) as journal:
        outcome = outcome_of(part, fields, journal.rows())
    return write_everything(outcome, parquet=parquet)
