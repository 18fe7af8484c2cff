"""A batch on a disk that is full, then has room. Run as ``python full_disk.py PLAN FOLDER``.

FOLDER is the mount point of a small file system that nobody else uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from napari_beadscope.batch.journal import Journal
from napari_beadscope.batch.planning import open_plan
from napari_beadscope.batch.run import run_batch
from napari_beadscope.core.errors import BeadscopeError


def fill(disk: Path, leave: int) -> Path:
    """Take every byte of the disk but `leave`."""
    other = disk / "other"
    fd = os.open(other, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.ftruncate(fd, max(0, other.stat().st_size - leave))
        os.close(fd)
    return other


def main(plan: Path, disk: Path) -> None:
    """Run the batch on the full disk, then with room."""
    batch = open_plan(plan, output=disk / "out")
    done = 0
    for leave in (0, 150_000, 200_000):
        other = fill(disk, leave)
        try:
            ending = run_batch(batch)
        except BeadscopeError as error:
            assert "full" in str(error), error  # noqa: PT017
            assert "free" in str(error), error  # noqa: PT017
        else:
            raise AssertionError(f"it ended on a full disk: {ending}")
        other.unlink()
        if leave:
            with Journal.open(disk / "out") as journal:
                before, done = done, len(list(journal.rows(state="done")))
            assert done >= before
    assert done > 0
    ending = run_batch(batch, verify=True)
    assert ending.state == "complete", ending
    assert not ending.lost, ending
    with Journal.open(disk / "out") as journal:
        assert all(row.state == "done" for row in journal.rows())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
