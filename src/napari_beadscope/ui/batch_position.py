"""What a batch has found at one position: its frames, labels and tables, ready to be shown.

Owns which outputs of which steps are shown, and the rows of its tables. Only reads, on any thread.
Must not know Qt, napari or layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_beadscope.batch.flags import Flag, Thing, kind_of, read_flags
from napari_beadscope.batch.outcome import Field, Outcome, Part, read_outcome
from napari_beadscope.batch.tables import columns_of, is_table
from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.ui.batch_frames import CellLabels, ChannelFrames, OpenSource

KEY = "napari-beadscope-batch"
_PLACED = {"frame", "y_px", "x_px"}
#: Of a table that is larger, evenly chosen frames are read.
MOST_BYTES = 200_000_000
_BLOCK = 500_000
_LABELS = "SEGMENT"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a step, sorted by what they are about, then by frame.

    ``kind`` is the column that numbers it, such as 'cell'; ``every`` says that only every n-th
    frame was read.
    """

    step: str
    kind: str
    rows: pd.DataFrame
    every: int = 1


@dataclass(eq=False)
class OpenedPosition:
    """One position of a batch that was opened; its layers share it in their metadata.

    Attributes
    ----------
    folder : Path
        The batch's.
    place : Field
        The position.
    channels : tuple of (name, frames, role)
        Lazy ``(t, y, x)``.
    labels : array or None
        Lazy ``(t, y, x)``: 0 for nothing, else the cell's number plus 1.
    tables : tuple of Table
        Those that say where something is in which frame, in the plan's order.
    sums : DataFrame
        One row per thing, indexed by its number: frames, first, last, and what summaries say.
    flags : dict
        What is said about things of this position, by number.
    notes : tuple of str
        What could not be shown, and why.
    """

    folder: Path
    place: Field
    channels: tuple[tuple[str, Any, str], ...] = ()
    labels: Any = None
    tables: tuple[Table, ...] = ()
    sums: pd.DataFrame = field(default_factory=pd.DataFrame)
    flags: dict[int, Flag] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The position's."""
        return self.place.name

    @property
    def table(self) -> Table | None:
        """The last table: with everything that the plan's steps have found."""
        return self.tables[-1] if self.tables else None

    @property
    def kind(self) -> str:
        """What is numbered: 'cell', 'bead', 'particle', or '' for nothing."""
        return self.tables[-1].kind if self.tables else ""

    def thing(self, number: int) -> Thing:
        """Return how flags name one of its things."""
        return (self.name, self.kind, number)

    def take_flags(self, flags: Mapping[Thing, Flag]) -> None:
        """Take over what is said in the whole batch."""
        self.flags = {
            number: flag
            for (position, kind, number), flag in flags.items()
            if (position, kind) == (self.name, self.kind)
        }


def first_done(outcome: Outcome) -> str:
    """Return the first position with results, or the first one if none has any.

    Raises
    ------
    InputError
        There are no positions.
    """
    names = list(outcome.fields)
    if not names:
        raise InputError(f"{outcome.folder} has no positions", "run the batch first")
    done = (n for n in names if any(p.done for (m, _), p in outcome.parts.items() if m == n))
    return next(done, names[0])


def open_position(folder: Path, name: str = "", outcome: Outcome | None = None) -> OpenedPosition:
    """Open what a batch has found at a position.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    name : str
        The position's; by default the first with results.
    outcome : Outcome, optional
        If it is known already.

    Raises
    ------
    BeadscopeError
        There is no batch, or no such position.
    """
    outcome = outcome or read_outcome(folder)
    name = name or first_done(outcome)
    if name not in outcome.fields:
        raise InputError(f"{folder} has no position {name}", "choose another")
    notes: list[str] = []
    place = outcome.fields[name]
    parts = [outcome.parts[name, step] for step in outcome.steps if (name, step) in outcome.parts]
    channels = _channels(place, notes)
    done = [(part, part.outputs(folder)) for part in parts if part.done]
    frames = channels[0][1].shape[0] if channels else place.frames[1]
    labels = _labels(done, frames, notes)
    tables = tuple(_tables(done, notes))
    opened = OpenedPosition(folder, place, channels, labels, tables, notes=tuple(notes))
    opened.sums = _sums(opened, done)
    try:
        opened.take_flags(read_flags(folder))
    except InputError as error:
        opened.notes = (*notes, str(error))
    return opened


def _channels(place: Field, notes: list[str]) -> tuple[tuple[str, Any, str], ...]:
    """Return the source's channels; without the source, results are shown all the same."""
    roles = {index: role for role, some in place.channels.items() for index in some}
    try:
        source = OpenSource(Path(place.path))
        info = source.position(place.index)
    except BeadscopeError as error:
        notes.append(f"The frames of {place.name} cannot be shown: {error}")
        return ()
    channels = []
    for index, given in enumerate(info.channels):
        role = roles.get(index, "")
        named = given if not given.isdigit() else f"{role} {given}".strip()
        if len(info.channels) == 1 and not role:
            named = ""
        channels.append((named, ChannelFrames(source, info, index), role))
    return tuple(channels)


def _labels(done: list[tuple[Part, tuple[Path, ...]]], frames: int, notes: list[str]) -> Any:
    for part, paths in done:
        if part.rows[0].category == _LABELS and paths[0].suffix == ".tif":
            firsts = [row.first for row in part.rows if row.state == "done"]
            try:
                chunks = list(zip(firsts, paths, strict=True))
                return CellLabels(chunks, max(frames, part.rows[-1].last), _cells(done))
            except (OSError, ValueError) as error:
                notes.append(f"The labels of {part.position} cannot be shown: {error}")
    return None


def _cells(done: list[tuple[Part, tuple[Path, ...]]]) -> dict[int, np.ndarray] | None:
    """Return the cell of every label by frame, from the table of a step that says so."""
    for _, paths in done:
        if not (is_table(paths[0]) and {"frame", "cell", "label"} <= set(columns_of(paths[0]))):
            continue
        names = ["frame", "cell", "label"]
        rows = pd.concat([pd.read_csv(path, usecols=names, dtype=np.int64) for path in paths])
        cells = {}
        for frame, some in rows.groupby("frame"):
            found = np.full(int(some["label"].max()) + 1, -1, np.int32)
            found[some["label"]] = some["cell"]
            cells[int(frame)] = found
        return cells
    return None


def _tables(done: list[tuple[Part, tuple[Path, ...]]], notes: list[str]) -> Iterator[Table]:
    for part, paths in done:
        try:
            if not is_table(paths[0]):
                continue
            columns = columns_of(paths[0])
            kind = kind_of(columns)
            if kind is None or not set(columns) >= _PLACED:
                continue
            rows, every = _rows(paths)
        except (OSError, ValueError) as error:
            notes.append(f"The table of {part.step} cannot be shown: {error}")
            continue
        if len(rows):
            yield Table(part.step, kind, rows.sort_values([kind, "frame"]), every)


def _rows(paths: tuple[Path, ...]) -> tuple[pd.DataFrame, int]:
    every = max(1, -(-sum(path.stat().st_size for path in paths) // MOST_BYTES))
    blocks = []
    for path in paths:
        with pd.read_csv(path, chunksize=_BLOCK, dtype={"position": "category"}) as reader:
            for block in reader:
                kept = block if every == 1 else block[block["frame"] % every == 0]
                blocks.append(kept.drop(columns="position"))
    return pd.concat(blocks, ignore_index=True), every


def _sums(opened: OpenedPosition, done: list[tuple[Part, tuple[Path, ...]]]) -> pd.DataFrame:
    """Return one row per thing: where it was seen, means, and what summaries say of it."""
    table = opened.table
    if table is None:
        return pd.DataFrame()
    numeric = table.rows.select_dtypes("number")
    groups = numeric.groupby(table.kind)
    seen = groups["frame"].agg(["size", "min", "max"])
    seen.columns = pd.Index(["frames", "first", "last"])
    means = groups.mean().drop(columns="frame")
    for _, paths in done:
        if not is_table(paths[0]):
            continue
        columns = columns_of(paths[0])
        if len(paths) == 1 and table.kind in columns and "frame" not in columns:
            more = pd.read_csv(paths[0]).select_dtypes("number").groupby(table.kind).first()
            means = means.join(more[[name for name in more if name not in means]])
    return seen.join(means[[name for name in means if name not in seen]])
