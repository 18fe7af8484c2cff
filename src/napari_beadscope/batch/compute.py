"""One unit of work, computed in this process: what a worker does with an order.

Owns how a service gets its frames and inputs, and when its output counts as complete. Must not
know pipes or journals, so that anything that can call a function can be a worker.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.orders import Chunk, Compute, Computed, plain_text
from napari_beadscope.batch.service import BatchError, Service, Work
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.source import PositionInfo, Source, SourceError, open_source
from napari_beadscope.ring.segment import Segment

_OPEN_SOURCES = 4
_BLOCK = 1 << 20
_MOST_NUMBER = 1 << 63


class OpenSources:
    """Sources that stay open between orders, a few at a time, and are what the run saw."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Path, str], Source] = OrderedDict()

    def get(self, path: Path, fingerprint: str) -> Source:
        """Return the source at `path`.

        Raises
        ------
        SourceError
            Its files have changed since the run began.
        """
        wanted = (path, fingerprint)
        if wanted not in self._open:
            source = open_source(path)
            if source.fingerprint() != fingerprint:
                source.close()
                raise SourceError(f"{path} has changed since the run began", "run it again")
            self._open[wanted] = source
            while len(self._open) > _OPEN_SOURCES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(wanted)
        return self._open[wanted]

    def close(self) -> None:
        """Close them all."""
        while self._open:
            self._open.popitem()[1].close()


class Computer:
    """Computes units one after the other; what is costly to load is kept between them."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._settings: dict[tuple[str, bytes], Any] = {}
        self._caches: dict[str, dict[Any, Any]] = {}
        self.sources = OpenSources()

    def compute(self, order: Compute, checkpoint: Callable[[], None] = lambda: None) -> Computed:
        """Compute a unit; its output is complete and on the disk when this returns."""
        started, cpu = time.perf_counter(), time.process_time()
        service, settings = self._opened(order)
        order.output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with ExitStack() as closing:
                work = Work(
                    position=order.position,
                    plan_channels=order.plan_channels,
                    first=order.first,
                    last=order.last,
                    output=order.output,
                    inputs=order.inputs,
                    frames=_FrameGiver(order, self.sources, closing),
                    cache=self._caches.setdefault(order.service, {}),
                    checkpoint=checkpoint,
                )
                facts = _facts(service.process(work, settings), order.service)
            size, digest = seal(order.output, order.service)
        except BaseException:
            remove_draft(order.output)
            raise
        seconds, spent = time.perf_counter() - started, time.process_time() - cpu
        return Computed(order.number, seconds, spent, size, digest, facts)

    def _opened(self, order: Compute) -> tuple[Service, Any]:
        name = order.service
        if name not in self._services:
            self._services[name] = open_service(name)
        wanted = (name, order.settings)
        if wanted not in self._settings:
            model = self._services[name].Settings
            self._settings[wanted] = model.model_validate_json(order.settings)
        return self._services[name], self._settings[wanted]


class _FrameGiver:
    """`Frames` from shared memory where they are there, else from the source."""

    def __init__(self, order: Compute, sources: OpenSources, closing: ExitStack) -> None:
        self._order, self._sources, self._closing = order, sources, closing
        self._views: dict[Chunk, np.ndarray] = {}

    def __call__(
        self, channel: int, first: int | None = None, last: int | None = None
    ) -> np.ndarray:
        """Return frames ``[first, last)`` of a channel."""
        start = self._order.first if first is None else first
        end = self._order.last if last is None else last
        position = self._order.position
        if not (0 <= start < end <= position.frames and 0 <= channel < len(position.channels)):
            raise BatchError(
                f"frames {start} to {end - 1} of channel {channel} were asked for; position "
                f"{position.name} has {position.frames} frames and "
                f"{len(position.channels)} channels",
                "check the channels in the plan",
            )
        for chunk in self._order.chunks:
            if chunk.channel == channel and chunk.first <= start and end <= chunk.last:
                return self._view(chunk)[start - chunk.first : end - chunk.first]
        source = self._sources.get(position.path, self._order.fingerprint)
        frames = source.read(position.index, channel, start, end)
        frames.setflags(write=False)
        return frames

    def _view(self, chunk: Chunk) -> np.ndarray:
        if chunk not in self._views:
            segment = Segment.attach(chunk.segment)
            self._closing.callback(segment.close)
            self._closing.callback(self._views.clear)
            self._views[chunk] = frames_in(segment, chunk, self._order.position)
        return self._views[chunk]


def frames_in(segment: Segment, chunk: Chunk, position: PositionInfo) -> np.ndarray:
    """Return the view of a chunk's frames, (n, y, x), in its shared memory."""
    shape = (chunk.last - chunk.first, position.height_px, position.width_px)
    return segment.array(position.dtype, int(np.prod(shape))).reshape(shape)


def seal(path: Path, who: str) -> tuple[int, str]:
    """Force a file to the disk; return its size in bytes and its SHA-256.

    Raises
    ------
    BatchError
        `who` has not written it, or made something else than a file.
    """
    if path.is_symlink() or path.is_dir():
        kind = "a link" if path.is_symlink() else "a folder"
        raise BatchError(
            f"the service {who} made {kind} where its output belongs",
            "it must write one file, work.output",
        )
    if not path.is_file():
        raise BatchError(f"the service {who} wrote no output", "it must write to work.output")
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return path.stat().st_size, checksum(path)


def remove_draft(path: Path) -> None:
    """Remove an output that is not complete, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _facts(told: Any, who: str) -> dict[str, float | int | str]:
    """Return what a service tells, as values that can be sent and kept."""
    if not isinstance(told, Mapping | None):
        raise BatchError(
            f"the service {who} returned {type(told).__name__} instead of facts",
            "process() must return a dict, or nothing",
        )
    return {plain_text(str(name)): _plain(value) for name, value in (told or {}).items()}


def _plain(value: Any) -> float | int | str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _MOST_NUMBER):
        return value
    return plain_text(str(value))
