"""The shared memory that frames travel in: made and removed by the run alone.

The kernel tells who is dead, so that a run that was killed leaves nothing that the next one does
not sweep. Must not know who reads or writes.
"""

from __future__ import annotations

import shutil
import uuid

from napari_beadscope.batch.scheduler import ChunkId
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.ring.segment import Segment, SegmentOwner, segment_folder, sweep

_SHARE = 0.8


class ChunkMemory(Closing):
    """One named block for each chunk of frames."""

    def __init__(self) -> None:
        sweep()
        self._owner = SegmentOwner(f"batch{uuid.uuid4().hex[:12]}")
        self._names: dict[ChunkId, str] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._names)

    def name(self, chunk: ChunkId) -> str:
        """Return the name of a chunk's block."""
        return self._names[chunk]

    def make(self, chunk: ChunkId, nbytes: int) -> str:
        """Make a block for a chunk, if it has none; return its name.

        Raises
        ------
        RingError
            There is no memory left.
        """
        if chunk not in self._names:
            name = f"{self._owner.session}-{self._count}"
            Segment.create(name, max(1, nbytes)).close()
            self._count += 1
            self._names[chunk] = name
        return self._names[chunk]

    def free(self, chunk: ChunkId) -> None:
        """Remove a chunk's block; whoever has it mapped keeps it until that ends."""
        name = self._names.pop(chunk, None)
        if name is not None:
            Segment.unlink(name)

    def close(self) -> None:
        """Remove every block; twice is fine."""
        self._names.clear()
        self._owner.close()


def room() -> int:
    """Return how many bytes of shared memory a run may take on this machine now."""
    return int(_SHARE * shutil.disk_usage(segment_folder()).free)
