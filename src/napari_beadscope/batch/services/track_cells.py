"""The step `track`: which labels in which frames are the same cell, and whose daughters they are.

Owns the settings' names and the table of cells over time. Labels are linked by `batch.cells.link`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import BatchError, Facts, Service, ServiceSettings, Work
from napari_beadscope.batch.services.bead_parts import required
from napari_beadscope.batch.services.cell_parts import read_labels

COLUMNS = ("position", "cell", "frame", "parent", "label")


class TrackSettings(ServiceSettings):
    """What may be the same cell."""

    method: Literal["overlap", "laptrack"] = Field(
        "overlap", description="overlap of labels; or laptrack by their middles, an extra"
    )
    max_step_px: float = Field(
        20.0,
        gt=0,
        description="How far a cell moves in a frame where labels do not overlap, px",
    )
    max_gap_frames: int = Field(
        3,
        ge=0,
        le=1000,
        description="Frames in which a cell may be missing and go on after",
    )
    min_overlap: float = Field(
        0.2, gt=0, le=1, description="Part of the smaller label that lies on the other, 0 to 1"
    )
    divisions: bool = Field(True, description="Daughters are cells of their own, with a parent")
    min_daughter_frames: int = Field(
        3, ge=1, description="Daughters that are seen for less are no daughters, frames"
    )


class TrackCells(Service):
    """Writes cell, mother and label of every frame; cells are numbered as they appear."""

    name = "track"
    category = "CELL_LINK"
    needs = ("segment", "align")
    requires = (("segment",),)
    whole = True
    suffix = ".csv"
    Settings = TrackSettings

    def process(self, work: Work, settings: TrackSettings) -> Facts:
        from napari_beadscope.batch.cells import LinkOptions, link_cells

        options = LinkOptions(**settings.model_dump())
        labels = _checked_frames(work, read_labels(required(work, "segment")))
        links = link_cells(labels, options, _drift(work))
        head = work.position.name.replace("%", "%%")
        order = np.lexsort((links.cell, links.frame))
        columns = (links.cell, links.frame + work.first, links.parent, links.label)
        rows = np.stack(columns, axis=1)[order].tolist()
        with open(work.output, "w", encoding="utf-8", newline="\n") as file:
            file.write(",".join(COLUMNS) + "\n")
            file.writelines(f"{head},{c},{f},{p},{name}\n" for c, f, p, name in rows)
        return {"cells": links.cells, "divisions": links.divisions, "rows": len(rows)}


def _checked_frames(work: Work, labels: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    count = 0
    for frame in labels:
        work.checkpoint()
        yield frame
        count += 1
    if count != work.last - work.first:
        raise BatchError(
            f"{count} of {work.last - work.first} frames of {work.position.name} are segmented",
            "run the batch again with --verify",
        )


def _drift(work: Work) -> np.ndarray | None:
    """Return the stage's way from the step `align`, or None without it."""
    paths = work.inputs.get("align", ())
    if not paths:
        return None
    steps = np.concatenate(
        [np.loadtxt(path, delimiter=",", skiprows=1, usecols=(2, 3), ndmin=2) for path in paths]
    )
    steps[0] = 0
    return np.cumsum(steps, axis=0)


def read_cells(path: Path, cache: dict[Any, Any]) -> np.ndarray:
    """Return frame, cell, parent and label of every row, (n, 4) int64, ordered by frame.

    The table of one position at a time stays in `cache`.

    Raises
    ------
    BatchError
        The file is no such table.
    """
    import pandas as pd

    about = path.stat()
    which = (str(path), about.st_size, about.st_mtime_ns)
    if cache.get("cells", (None,))[0] != which:
        names = ["frame", "cell", "parent", "label"]
        try:
            table = pd.read_csv(path, usecols=names, dtype=np.int64)[names]
        except ValueError as error:
            raise BatchError(
                f"{path} is no table of the step track ({error})",
                "run the batch again with --verify",
            ) from None
        cache["cells"] = (which, table.to_numpy())
    rows: np.ndarray = cache["cells"][1]
    return rows
