"""Services one after the other on frames in memory, with the inputs that a run gives them.

Owns nothing of what services do; for tests of services, ours and others'.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.service import Facts, Work
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.source import PositionInfo


class Chain:
    """The steps of one position; ``outputs`` and ``facts`` are by step, in the order of chunks."""

    def __init__(
        self,
        folder: Path,
        frames: np.ndarray,
        *,
        chunk_frames: int = 16,
        interval_s: float | None = 0.01,
        nm_per_px: float | None = 100.0,
        path: Path | None = None,
        kind: str = "tiff",
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Take frames ``(t, y, x)`` as the only position and channel of a source at `path`."""
        self.folder, self.frames = folder, frames
        self.checkpoint = checkpoint
        times = None if interval_s is None else tuple(k * interval_s for k in range(len(frames)))
        shape = frames.shape
        self.position = PositionInfo(
            "field_a", path or folder, 0, shape[0], ("0",), shape[1], shape[2],
            str(frames.dtype), times, nm_per_px, kind,
        )  # fmt: skip
        starts = range(0, len(frames), chunk_frames)
        self.chunks = [(at, min(at + chunk_frames, len(frames))) for at in starts]
        self.outputs: dict[str, tuple[Path, ...]] = {}
        self.facts: dict[str, list[Facts]] = {}
        self.cache: dict[Any, Any] = {}

    def run(self, step: str, **settings: Any) -> tuple[Path, ...]:
        """Run a step on all chunks, or on the whole position; return its outputs."""
        service = open_service(step)
        checked = service.Settings.model_validate(settings)
        ranges = [(0, len(self.frames))] if service.whole else self.chunks
        paths, facts = [], []
        for at, (first, last) in enumerate(ranges):
            inputs = {}
            for need in service.needs:
                if need in self.outputs:
                    many = self.outputs[need]
                    chunked = len(many) > 1 and not service.whole
                    inputs[need] = (many[at],) if chunked else many
            path = self.folder / f"{step}-{first}{service.suffix}"
            facts.append(
                service.process(
                    Work(
                        self.position, {}, first, last, path, inputs,
                        self._frames(first, last), self.cache, self.checkpoint,
                    ),
                    checked,
                )
            )  # fmt: skip
            if not path.is_file():
                raise AssertionError(f"{step} has not written {path}")
            paths.append(path)
        self.outputs[step], self.facts[step] = tuple(paths), facts
        return self.outputs[step]

    def _frames(self, low: int, high: int) -> Callable[..., np.ndarray]:
        def frames(channel: int, first: int | None = None, last: int | None = None) -> np.ndarray:
            if channel != 0:
                raise AssertionError(f"there is no channel {channel}")
            view = self.frames[low if first is None else first : high if last is None else last]
            view = view.view()
            view.flags.writeable = False
            return view

        return frames
