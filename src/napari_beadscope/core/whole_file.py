"""Files that appear whole or not at all. Must not know what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name of a new file beside `path`, which takes its place at the end.

    The new name has the same ending. After an error there is no new file, and `path` is as it was.

    Raises
    ------
    OSError
        If the file cannot take its place.
    """
    part = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
