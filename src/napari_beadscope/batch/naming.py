"""Names of positions: safe in file names, and no two alike. Pure; must not know formats."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_ENDINGS = (".ome.tiff", ".ome.tif", ".ome.zarr")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def stem_of(path: Path) -> str:
    """Return a file's or folder's name without its ending, safe in file names.

    Examples
    --------
    >>> stem_of(Path("/data/My cells: 1.ome.tif")), stem_of(Path("/data/2026-11-21_pull 3.5pN/"))
    ('My_cells_1', '2026-11-21_pull_3.5pN')
    """
    name = path.name
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            return safe(name[: -len(ending)])
    known = re.fullmatch(r"(.+)\.[A-Za-z][A-Za-z0-9]{1,4}", name)
    return safe(known[1] if known and not path.is_dir() else name.removesuffix(".zarr"))


def safe(name: str) -> str:
    """Return a name with only letters, digits, dots, minus and underscores.

    Examples
    --------
    >>> safe("a/b c"), safe("..."), safe("con")
    ('a_b_c', 'position', '_con')
    """
    plain = re.sub(r"[^\w.+-]+", "_", name).strip("._ ")[:80].rstrip("._ ")
    if not plain:
        return "position"
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain


def is_text(path: str) -> bool:
    """Return whether a path can be written into files; Linux allows names that cannot.

    Examples
    --------
    >>> is_text("/data/µm.tif"), is_text("/data/" + chr(0xDCFF) + ".tif"), is_text(chr(0))
    (True, False, False)
    """
    try:
        return b"\0" not in path.encode()
    except UnicodeEncodeError:
        return False


def position_name(stem: str, index: int, count: int) -> str:
    """Return a position's name: the stem, with a number if there are several.

    Examples
    --------
    >>> position_name("cells", 3, 8), position_name("cells", 0, 1)
    ('cells_p003', 'cells')
    """
    return stem if count == 1 else f"{stem}_p{index:03d}"


def distinct_stems(paths: Sequence[Path]) -> list[str]:
    """Return a stem for each path, no two alike even where capitals do not count.

    Alike ones get names of the folders they are in; the others keep theirs.

    Examples
    --------
    >>> distinct_stems([Path("/d/mon/a.tif"), Path("/d/tue/a.tif"), Path("/d/b.tif")])
    ['mon_a', 'tue_a', 'b']
    """
    stems = [stem_of(path) for path in paths]
    for depth in range(1, 4):
        twice = _twice(stems)
        for at in twice:
            parents = [part for part in paths[at].parent.parts[-depth:] if part != paths[at].anchor]
            stems[at] = safe("_".join([*parents, stem_of(paths[at])]))
        if not twice:
            return stems
    for at in _twice(stems):
        mark = hashlib.sha256(str(paths[at]).encode()).hexdigest()[:6]
        stems[at] = f"{stem_of(paths[at])[:60]}_{mark}"
    return stems


def _twice(stems: list[str]) -> list[int]:
    counts = Counter(stem.lower() for stem in stems)
    return [at for at, stem in enumerate(stems) if counts[stem.lower()] > 1]
