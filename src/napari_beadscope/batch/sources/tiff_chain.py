"""The chain of a TIFF's directories: whether it comes to its end, or the file is cut.

Owns the walk. Libraries end a chain that leads past the end of a file without an error, and the
file then seems to have fewer frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

#: Bytes of the types of values that are larger than one.
_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True, slots=True)
class Chain:
    """How many directories were found, whether more were promised, and if the first is whole."""

    pages: int
    cut: bool
    described: bool

    @property
    def words(self) -> str:
        """What a cut file means for people; '' for a whole one."""
        if not self.cut:
            return ""
        return f"the file is cut after {self.pages} planes"


def walk(path: Path) -> Chain:
    """Follow the directories of a TIFF or BigTIFF."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = len(head) >= 4 and struct.unpack(order + "H", head[2:4])[0] == 43
        form = _Form(order, "Q", "Q", 20) if big else _Form(order, "H", "I", 12)
        start = 8 if big else 4
        offset = form.number(form.pointer, head[start:])
        pages, described, seen = 0, False, set()
        while offset:
            if offset in seen or offset + form.width(form.count) > size:
                return Chain(pages, True, described)
            seen.add(offset)
            file.seek(offset)
            entries = form.number(form.count, file.read(form.width(form.count)))
            if entries * form.entry > size:
                return Chain(pages, True, described)
            tags = file.read(entries * form.entry)
            after = file.read(form.width(form.pointer))
            if len(tags) < entries * form.entry or len(after) < form.width(form.pointer):
                return Chain(pages, True, described)
            described = described or (pages == 0 and form.values_end(tags) <= size)
            offset = form.number(form.pointer, after)
            pages += 1
    return Chain(pages, False, described)


@dataclass(frozen=True, slots=True)
class _Form:
    """Types of the numbers of a TIFF, or of a BigTIFF."""

    order: str
    count: str
    pointer: str
    entry: int

    def width(self, kind: str) -> int:
        return struct.calcsize(self.order + kind)

    def number(self, kind: str, data: bytes) -> int:
        return int(struct.unpack_from(self.order + kind, data)[0])

    def values_end(self, tags: bytes) -> int:
        """Return where the values of a directory end that lie outside of it."""
        end, inline = 0, self.width(self.pointer)
        for at in range(0, len(tags), self.entry):
            kind = self.number("H", tags[at + 2 :])
            length = self.number(self.pointer, tags[at + 4 :]) * _BYTES.get(kind, 1)
            if length > inline:
                end = max(end, self.number(self.pointer, tags[at + 4 + inline :]) + length)
        return end
