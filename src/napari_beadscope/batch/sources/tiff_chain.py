"""The chain of a TIFF's directories: whether it comes to its end, or the file is cut.

Owns the walk. Libraries end a chain that leads past the end of a file without an error, and the
file then seems to have fewer frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Chain:
    """How many directories were found, and whether more were promised."""

    pages: int
    cut: bool

    @property
    def words(self) -> str:
        """What a cut file means for people; '' for a whole one."""
        if not self.cut:
            return ""
        return f"the file is cut after {self.pages} planes: copy it again, or use those frames"


def walk(path: Path) -> Chain:
    """Follow the directories of a TIFF or BigTIFF."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = len(head) >= 4 and struct.unpack(order + "H", head[2:4])[0] == 43
        count, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
        width, step = struct.calcsize(count), struct.calcsize(pointer)
        start = 8 if big else 4
        offset = struct.unpack(order + pointer, head[start : start + step])[0]
        pages, seen = 0, set()
        while offset:
            if offset in seen or offset + width > size:
                return Chain(pages, True)
            seen.add(offset)
            file.seek(offset)
            entries = struct.unpack(order + count, file.read(width))[0]
            after = offset + width + entries * entry
            if after + step > size:
                return Chain(pages, True)
            file.seek(after)
            offset = struct.unpack(order + pointer, file.read(step))[0]
            pages += 1
    return Chain(pages, False)
