"""A short movie of a recording that any player shows. Must not know the demo."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.storage import Recording

_LARGEST_PX = 720
_SHOWN_FPS = 25
_LONGEST_S = 20


def write_preview(path: Path, recording: Recording) -> None:
    """Write the frames, in their own time, as a small H.264 (or else MPEG-4) movie.

    Grey levels are stretched to those of the first frame; frames of more than 720 px are binned.
    """
    import av

    frames, times = recording.frames, recording.times_s
    if not len(frames):
        return
    step = -(-max(frames.shape[1:]) // _LARGEST_PX)
    height, width = (size // step // 2 * 2 for size in frames.shape[1:])
    low, high = np.percentile(frames[0], (0.1, 99.9))
    scale = 255 / max(1.0, float(high - low))
    wanted = np.arange(0, min(float(times[-1]), _LONGEST_S) + 1e-9, 1 / _SHOWN_FPS)
    picks = np.searchsorted(times, wanted).clip(0, len(frames) - 1)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(_codec(), rate=_SHOWN_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _SHOWN_FPS)
        for number, pick in enumerate(picks):
            binned = _binned(frames[int(pick)], step)[:height, :width]
            grey = np.clip((binned - low) * scale, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, _SHOWN_FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _codec() -> str:
    import av

    return "libx264" if "libx264" in av.codecs_available else "mpeg4"


def _binned(image: np.ndarray, step: int) -> np.ndarray:
    """Return the mean of squares of `step` by `step` pixels."""
    if step == 1:
        return image.astype(np.float32)
    height, width = (size // step for size in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return blocks.mean(axis=(1, 3), dtype=np.float32)
