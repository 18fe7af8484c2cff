"""What has become of a batch: positions, steps, outputs and failures, as the journal says.

Owns what is said of a batch as a whole; reads the journal and never a folder, because a file that
is there need not be done. Must not know how anything is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_beadscope.batch.journal import Journal, Row
from napari_beadscope.batch.planning import Batch

#: Where the journal keeps what is known of the positions.
POSITIONS_NOTE = "positions"
_ORDER = ("failed", "blocked", "running", "pending", "done")


@dataclass(frozen=True, slots=True)
class Field:
    """A position of a batch: what it was made from.

    ``frames`` are ``[first, last)``; ``channels`` are indices by role; ``kind`` is the format.
    """

    name: str
    path: str
    index: int
    frames: tuple[int, int]
    channels: Mapping[str, tuple[int, ...]]
    shape: tuple[int, int]
    kind: str = ""
    nm_per_px: float | None = None
    frame_interval_s: float | None = None
    sample: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "path": self.path,
            "index": self.index,
            "frames": list(self.frames),
            "channels": {role: list(some) for role, some in self.channels.items()},
            "shape": list(self.shape),
            "kind": self.kind,
            "nm_per_px": self.nm_per_px,
            "frame_interval_s": self.frame_interval_s,
            "sample": self.sample,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Field:
        """Return the field of plain values; what is not said is unknown."""
        first, last = data.get("frames") or (0, 0)
        height, width = data.get("shape") or (0, 0)
        channels = {role: tuple(some) for role, some in (data.get("channels") or {}).items()}
        return cls(
            data["name"],
            data.get("path", ""),
            data.get("index", 0),
            (first, last),
            channels,
            (height, width),
            data.get("kind", ""),
            data.get("nm_per_px"),
            data.get("frame_interval_s"),
            data.get("sample"),
        )


@dataclass(slots=True)
class Part:
    """A step of one position: the units it consists of."""

    position: str
    step: str
    rows: list[Row] = field(default_factory=list)

    @property
    def state(self) -> str:
        """failed, blocked, running, pending or done: the first that a unit of it is."""
        states = {row.state for row in self.rows}
        return next((state for state in _ORDER if state in states), "pending")

    @property
    def done(self) -> int:
        """How many units are done."""
        return sum(row.state == "done" for row in self.rows)

    @property
    def seconds(self) -> float:
        """Time that workers took for it."""
        return sum(row.seconds or 0.0 for row in self.rows)

    @property
    def whole(self) -> bool:
        """Whether it is one unit for all frames."""
        return len(self.rows) == 1

    def outputs(self, folder: Path) -> tuple[Path, ...]:
        """Return its files that are done, in the order of frames."""
        rows = sorted(self.rows, key=lambda row: row.first)
        return tuple(folder / row.output for row in rows if row.state == "done")

    @property
    def facts(self) -> dict[str, Any]:
        """What the service told of all frames at once; of chunks, nothing."""
        return dict(self.rows[0].facts) if self.whole else {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A batch as its journal has it.

    Attributes
    ----------
    folder : Path
        Its output folder.
    fields : dict of str to Field
        Positions by name, in the plan's order.
    steps : tuple of str
        In the plan's order.
    parts : dict of (position, step) to Part
        What there is of each.
    """

    folder: Path
    fields: dict[str, Field]
    steps: tuple[str, ...]
    parts: dict[tuple[str, str], Part]

    @property
    def state(self) -> str:
        """complete, failed (something is, nothing is left to do) or incomplete."""
        states = {part.state for part in self.parts.values()}
        if states <= {"done"}:
            return "complete"
        return "failed" if states <= {"done", "failed", "blocked"} else "incomplete"

    @property
    def failures(self) -> list[Row]:
        """Units that have failed themselves, not for want of another, in the plan's order."""
        return [row for part in self.parts.values() for row in part.rows if row.state == "failed"]

    @property
    def samples(self) -> dict[str, str]:
        """Samples by position, of those that belong to one."""
        return {name: one.sample for name, one in self.fields.items() if one.sample is not None}

    def position_state(self, position: str) -> str:
        """Return the first of failed, blocked, running, pending, done that a step of it is."""
        states = {part.state for (name, _), part in self.parts.items() if name == position}
        return next((state for state in _ORDER if state in states), "pending")

    def table_parts(self) -> dict[str, dict[str, tuple[Path, ...]]]:
        """Return the outputs of each step by position; none where a position is not done."""
        return {
            step: {
                name: part.outputs(self.folder) if part.state == "done" else ()
                for name in self.fields
                if (part := self.parts.get((name, step))) is not None
            }
            for step in self.steps
        }


def note_positions(journal: Journal, batch: Batch) -> None:
    """Let the journal know what the positions of a batch are; call inside `Journal.writing`."""
    journal.set_note(POSITIONS_NOTE, [one.to_dict() for one in fields_of(batch)])


def fields_of(batch: Batch) -> list[Field]:
    """Return what is known of a batch's positions, in the plan's order."""
    fields = []
    for one in batch.positions:
        info, times_s = one.info, one.info.times_s
        even = times_s is not None and len(times_s) > 1
        interval = (times_s[-1] - times_s[0]) / (len(times_s) - 1) if even and times_s else None
        fields.append(
            Field(
                info.name,
                str(info.path),
                info.index,
                (one.first, one.last),
                one.channels,
                info.shape,
                info.kind,
                info.nm_per_px,
                interval,
                one.sample,
            )
        )
    return fields


def read_outcome(folder: Path, journal: Journal | None = None) -> Outcome:
    """Read what has become of a batch, during a run or after it.

    Raises
    ------
    InputError
        The folder holds no batch.
    """
    if journal is None:
        with Journal.open(folder) as own:
            return read_outcome(folder, own)
    noted = journal.note(POSITIONS_NOTE) or []
    return outcome_of(folder, map(Field.from_dict, noted), journal.rows())


def outcome_of(folder: Path, fields: Iterable[Field], rows: Iterable[Row]) -> Outcome:
    """Return the outcome that rows of a journal are."""
    known = {one.name: one for one in fields}
    parts: dict[tuple[str, str], Part] = {}
    for row in rows:
        part = parts.setdefault((row.position, row.step), Part(row.position, row.step))
        part.rows.append(row)
        known.setdefault(row.position, Field(row.position, row.source, 0, (0, 0), {}, (0, 0)))
    for part in parts.values():
        part.rows.sort(key=lambda row: row.first)
    place = {name: at for at, name in enumerate(known)}
    steps = _steps_in_order(parts)
    ordered = sorted(parts, key=lambda key: (place[key[0]], steps.index(key[1])))
    return Outcome(folder, known, steps, {key: parts[key] for key in ordered})


def _steps_in_order(parts: Mapping[tuple[str, str], Part]) -> tuple[str, ...]:
    """Return the steps by where the plan has them: a chunk's units are numbered in that order."""
    first: dict[str, tuple[int, int]] = {}
    for (_, step), part in parts.items():
        # Whole-position units come after all chunks, so the last frame decides first.
        key = (part.rows[-1].number, part.rows[0].number)
        first[step] = min(first.get(step, key), key)
    return tuple(sorted(first, key=lambda step: first[step]))
