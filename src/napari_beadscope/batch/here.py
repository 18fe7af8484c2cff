"""Services in the present process, for scripts: no journal, no workers, the same outputs.

Owns what `Service.process_position` and `process_positions` do. Must not know runs.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.compute import seal
from napari_beadscope.batch.service import BatchError, PlanChannels, Service, Work
from napari_beadscope.batch.source import PositionInfo, Source
from napari_beadscope.batch.units import seen_by
from napari_beadscope.core.errors import BeadscopeError, InputError

_LOG = logging.getLogger(__name__)


def process_here(
    service: Service,
    source: Source,
    index: int,
    folder: Path,
    settings: Any,
    plan_channels: PlanChannels,
    chunk_frames: int | None,
    inputs: Mapping[str, Sequence[Path]],
) -> tuple[Path, ...]:
    """Process one position; see `Service.process_position`."""
    positions = source.positions()
    if not 0 <= index < len(positions):
        raise InputError(f"there is no position {index}", f"there are {len(positions)}, from 0")
    position = positions[index]
    settings = service.Settings() if settings is None else settings
    count = position.frames if service.whole else chunk_frames or position.frames
    cache: dict[Any, Any] = {}
    made: list[Path] = []
    for at, first in enumerate(range(0, position.frames, count)):
        last = min(first + count, position.frames)
        file = service.name if service.whole else f"{service.name}/{first:06d}-{last - 1:06d}"
        output = Path(folder) / position.name / f"{file}{service.suffix}"
        output.parent.mkdir(parents=True, exist_ok=True)
        given = {name: _of_chunk(paths, at, service.whole) for name, paths in inputs.items()}
        if service.ordered and not service.whole:
            given[service.name] = tuple(made[-1:])
        draft = output.with_name(f".{output.stem}.{uuid.uuid4().hex[:8]}.part{output.suffix}")
        with ExitStack() as cleaning:
            cleaning.callback(draft.unlink, missing_ok=True)
            work = Work(
                position=seen_by(service, position),
                plan_channels=plan_channels,
                first=first,
                last=last,
                output=draft,
                inputs=given,
                frames=_Frames(source, position, first, last),
                cache=cache,
            )
            service.process(work, settings)
            seal(draft, service.name)
            draft.replace(output)
        made.append(output)
    return tuple(made)


def process_all_here(
    service: Service,
    source: Source,
    indices: Sequence[int] | None,
    folder: Path,
    settings: Any,
    options: Mapping[str, Any],
) -> dict[str, tuple[Path, ...]]:
    """Process several positions; see `Service.process_positions`."""
    positions = source.positions()
    made: dict[str, tuple[Path, ...]] = {}
    failures: list[str] = []
    for index in range(len(positions)) if indices is None else indices:
        name = positions[index].name if 0 <= index < len(positions) else f"position {index}"
        try:
            made[name] = service.process_position(source, index, folder, settings, **options)
        except Exception as error:  # noqa: BLE001  the others go on; it is told at the end
            _LOG.exception("%s of %s failed", service.name, name)
            what = error.what if isinstance(error, BeadscopeError) else f"{error!r}"
            failures.append(f"{name}: {what}")
    if failures:
        raise BatchError(
            f"{service.name} failed for {len(failures)} of {len(failures) + len(made)} positions: "
            + "; ".join(failures),
            "the other positions are done",
        )
    return made


def _of_chunk(paths: Sequence[Path], at: int, whole: bool) -> tuple[Path, ...]:
    """Return a needed step's outputs: all for a whole position, else the chunk's own."""
    return tuple(paths) if whole or len(paths) <= 1 else (paths[at],)


class _Frames:
    """`Frames` straight from a source."""

    def __init__(self, source: Source, position: PositionInfo, first: int, last: int) -> None:
        self._source, self._position, self._range = source, position, (first, last)

    def __call__(
        self, channel: int, first: int | None = None, last: int | None = None
    ) -> np.ndarray:
        """Return frames ``[first, last)`` of a channel."""
        start = self._range[0] if first is None else first
        end = self._range[1] if last is None else last
        frames = self._source.read(self._position.index, channel, start, end)
        frames.setflags(write=False)
        return frames
