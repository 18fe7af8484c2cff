"""What the Z-LUT commands have in common: heights, names, the report's lines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.cli.output import table
from napari_beadscope.core.errors import InputError

_MOST_HEIGHTS = 100_000


def read_heights(text: str) -> tuple[np.ndarray, bool]:
    """Return heights in nm from a file or a range, and whether it was a range.

    Raises
    ------
    InputError
        It is neither, or holds what is not a number.

    Examples
    --------
    >>> read_heights("0:200:50")
    (array([  0.,  50., 100., 150., 200.]), True)
    >>> read_heights("300:-100:-200")[0].tolist()
    [300.0, 100.0, -100.0]
    """
    parts = text.split(":")
    if len(parts) == 3 and not Path(text).exists():
        return _range(text, parts), True
    return _file(Path(text).expanduser()), False


def _range(text: str, parts: list[str]) -> np.ndarray:
    remedy = "give START:STOP:STEP in nm, such as 0:4000:50"
    try:
        start, stop, step = (float(part) for part in parts)
    except ValueError:
        raise InputError(f"--z-nm {text} is no range of numbers", remedy) from None
    if not all(math.isfinite(value) for value in (start, stop, step)) or step == 0:
        raise InputError(f"--z-nm {text} has no end", remedy)
    count = math.floor((stop - start) / step + 1e-6) + 1
    if not 1 <= count <= _MOST_HEIGHTS:
        raise InputError(
            f"--z-nm {text} makes {max(0, count)} heights", "check the direction and the step"
        )
    return start + step * np.arange(count)


def _file(path: Path) -> np.ndarray:
    """Read one height a line, or the column z_nm of a CSV file."""
    remedy = "give a file with one height in nm per line, or START:STOP:STEP"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"there is no file of heights {path}", remedy) from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read as a text file of heights", remedy) from None
    column = 0
    heights: list[float] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        if not heights and "z_nm" in words:
            column = words.index("z_nm")
            continue
        try:
            heights.append(float(words[column]))
        except (ValueError, IndexError):
            raise InputError(f"{path} line {number} holds no height: '{line}'", remedy) from None
    if not heights:
        raise InputError(f"{path} holds no height", remedy)
    return np.array(heights)


def numbered(path: Path, bead: int) -> Path:
    """Return the name of one bead's file.

    Examples
    --------
    >>> numbered(Path("a/zlut.txt"), 7).name
    'zlut_0007.txt'
    """
    return path.with_name(f"{path.stem}_{bead:04d}{path.suffix}")


def report_lines(data: dict[str, Any]) -> list[str]:
    """Return what `report_data` says, for people."""
    from napari_beadscope.tracking.zlut_words import report_rows

    return table(report_rows(data))
