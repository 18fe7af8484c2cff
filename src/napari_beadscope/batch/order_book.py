"""What workers and readers are told about each unit, and where its output goes.

Owns the orders' content and the names of files in a batch's folder. Must not know who carries
them out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_beadscope.batch.compute import remove_draft
from napari_beadscope.batch.orders import Chunk, Compute, Read
from napari_beadscope.batch.planning import PlannedPosition, PlannedStep
from napari_beadscope.batch.scheduler import ChunkId, Size
from napari_beadscope.batch.units import Unit, seen_by

#: In the names of outputs that are not complete.
PART = ".part"


class OrderBook:
    """Orders for the units of a batch.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    positions, steps
        What the plan comes to.
    fingerprints : mapping of Path to str
        Of each source.
    units : sequence of Unit
        What `make_units` returned.
    """

    def __init__(
        self,
        folder: Path,
        positions: Sequence[PlannedPosition],
        steps: Sequence[PlannedStep],
        fingerprints: Mapping[Path, str],
        units: Sequence[Unit],
    ) -> None:
        self.folder, self.units = folder, units
        self._positions, self._steps, self._fingerprints = positions, steps, fingerprints
        self._settings = [step.settings.model_dump_json().encode() for step in steps]
        self._output_of = {unit.id: folder / unit.output for unit in units}
        sources = {path: number for number, path in enumerate(fingerprints)}
        self.sizes = tuple(
            Size(sources[position.info.path], position.info.frame_bytes) for position in positions
        )

    def name(self, position: int) -> str:
        """Return a position's name."""
        return self._positions[position].name

    def output(self, number: int) -> Path:
        """Return where a unit's output is once it is done."""
        return self._output_of[self.units[number].id]

    def draft(self, number: int, token: str) -> Path:
        """Return where a unit's output is written."""
        path = self.output(number)
        return path.with_name(f".{path.stem}.{token}{PART}{path.suffix}")

    def place(self, number: int, draft: Path) -> None:
        """Give a complete output its name; raise OSError if it cannot have it."""
        os.replace(draft, self.output(number))

    def remove_drafts(self, token: str = "") -> None:
        """Remove what was not completed: by the run with this token, or by any."""
        for draft in list((self.folder / "positions").rglob(f".*{PART}*")):
            if token in draft.name:
                remove_draft(draft)

    def compute(self, number: int, draft: Path, segments: Mapping[ChunkId, str]) -> Compute:
        """Return the order to compute a unit."""
        unit = self.units[number]
        step = self._steps[unit.step]
        position = self._positions[unit.position].info
        return Compute(
            number=number,
            service=step.given,
            settings=self._settings[unit.step],
            position=seen_by(step.service, position),
            fingerprint=self._fingerprints[position.path],
            plan_channels=dict(unit.plan_channels),
            first=unit.id[2],
            last=unit.id[3],
            output=draft,
            inputs={
                need: tuple(self._output_of[other] for other in others)
                for need, others in unit.inputs.items()
            },
            chunks=tuple(
                Chunk(channel, first, last, name)
                for (_, channel, first, last), name in segments.items()
            ),
        )

    def read(self, chunk: ChunkId, segment: str) -> Read:
        """Return the order to read a chunk."""
        position, channel, first, last = chunk
        info = self._positions[position].info
        return Read(
            number=0,
            path=info.path,
            fingerprint=self._fingerprints[info.path],
            position=info.index,
            dtype=info.dtype,
            shape=info.shape,
            chunk=Chunk(channel, first, last, segment),
        )

    def nbytes(self, chunk: ChunkId) -> int:
        """Return how much memory a chunk takes."""
        return (chunk[3] - chunk[2]) * self.sizes[chunk[0]].frame_bytes
