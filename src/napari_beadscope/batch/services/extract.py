"""The step `extract`: one row for every cell in every frame, with what is measured of it.

Owns the table's columns and their format. What is measured is in `batch.cells.features`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from napari_beadscope.batch.service import (
    BatchError,
    Facts,
    PlanChannels,
    Service,
    ServiceSettings,
    Work,
)
from napari_beadscope.batch.services.bead_parts import required
from napari_beadscope.batch.services.cell_parts import (
    FluorescenceChannels,
    checked_channels,
    fluorescence_channels,
    load_corrections,
    read_labels,
)
from napari_beadscope.batch.services.track_cells import read_cells

if TYPE_CHECKING:
    from napari_beadscope.batch.services.cell_parts import Corrections

_FIRST = ("position", "cell", "frame", "time_s", "y_px", "x_px", "area_px")


class ExtractSettings(ServiceSettings):
    """What is measured."""

    features: tuple[str, ...] = Field(
        ("area", "intensity", "shape", "border"),
        description="What is measured: area, intensity, variation, shape, border, or your own as "
        "my_file.py:function",
    )
    channels: FluorescenceChannels = None

    @field_validator("features")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from napari_beadscope.batch.cells.measure import find_feature
        from napari_beadscope.core.errors import InputError

        for name in value:
            try:
                find_feature(name)
            except InputError as error:
                raise ValueError(str(error)) from None
        return value


class Extract(Service):
    """Writes the table of cells; intensities are corrected if the plan has the step `correct`."""

    name = "extract"
    category = "EXTRACT"
    needs = ("segment", "correct", "track")
    requires = (("segment",), ("track",))
    suffix = ".csv"
    uses_times = True
    Settings = ExtractSettings

    def channels(self, plan_channels: PlanChannels, settings: ExtractSettings) -> tuple[int, ...]:
        return fluorescence_channels(plan_channels, settings.channels)

    def files(self, settings: ExtractSettings) -> tuple[Path, ...]:
        own = (name.rpartition(":")[0] for name in settings.features)
        return tuple(Path(path).expanduser() for path in own if path.endswith(".py"))

    def process(self, work: Work, settings: ExtractSettings) -> Facts:
        from napari_beadscope.batch.cells import measure_cells

        channels = self.channels(work.plan_channels, settings)
        checked_channels(work, channels)
        labels = read_labels(required(work, "segment"))
        cells = read_cells(required(work, "track")[0], work.cache)
        given = work.inputs.get("correct")
        corrections = load_corrections(given[0]) if given else None
        frames = {channel: work.frames(channel) for channel in channels}
        seen: set[int] = set()
        rows = 0
        with open(work.output, "w", encoding="utf-8", newline="\n") as file:
            for at in range(work.last - work.first):
                work.checkpoint()
                mask = next(labels, None)
                if mask is None:
                    raise BatchError(
                        f"frame {work.first + at} of {work.position.name} is not segmented",
                        "run the batch again with --verify",
                    )
                images, below = _images(frames, at, corrections)
                table = measure_cells(mask, images, below, features=("area", *settings.features))
                low, high = np.searchsorted(cells[:, 0], [work.first + at, work.first + at + 1])
                lines = _lines(work, work.first + at, table, cells[low:high, 1:])
                if at == 0:
                    file.write(lines[0])
                file.writelines(lines[1:])
                rows += len(lines) - 1
                seen.update(cells[low:high, 1].tolist())
        labels.close()
        return {"cells": len(seen), "rows": rows}


def _images(
    frames: dict[int, np.ndarray], at: int, corrections: Corrections | None
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Return a frame's images and backgrounds by channel; as they are without `correct`."""
    images: dict[int, np.ndarray] = {}
    below: dict[int, np.ndarray] = {}
    for channel, stack in frames.items():
        if corrections is not None and channel in corrections.backgrounds:
            images[channel], below[channel] = corrections.apply(channel, at, stack[at])
        else:
            images[channel] = stack[at]
    return images, below


def _lines(work: Work, frame: int, table: dict[str, np.ndarray], cells: np.ndarray) -> list[str]:
    """Return the header, and a line for each cell of a frame, ordered by cell."""
    if not np.array_equal(np.sort(cells[:, 2]), table["label"]):
        raise BatchError(
            f"frame {frame} of {work.position.name} has other cells than the step track saw",
            "run the batch again with --verify",
        )
    cells = cells[np.argsort(cells[:, 0], kind="stable")]
    at = np.searchsorted(table["label"], cells[:, 2])
    more = [name for name in table if name not in ("label", *_FIRST)]
    head = ",".join((*_FIRST, *more, "parent"))
    times = work.position.times_s
    time = f"{times[frame]:.9g}" if times is not None else "nan"
    columns: list[list[str]] = [
        [work.position.name] * len(at),
        [str(cell) for cell in cells[:, 0].tolist()],
        [str(frame)] * len(at),
        [time] * len(at),
    ]
    columns += [_texts(table[name][at]) for name in (*_FIRST[4:], *more)]
    columns.append([str(parent) for parent in cells[:, 1].tolist()])
    return [head + "\n", *(",".join(row) + "\n" for row in zip(*columns))]


def _texts(values: Any) -> list[str]:
    """Return numbers as text: whole ones as such, others with seven digits."""
    if values.dtype.kind in "biu":
        return [str(int(value)) for value in values.tolist()]
    return [f"{value:.7g}" for value in values.tolist()]
