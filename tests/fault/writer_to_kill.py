"""Writes recordings without end, saying on stdout what is safe, until it is killed.

Run as ``python writer_to_kill.py FOLDER MODE SEED [resume]``. Every frame's pixels follow from its
number, so whoever looks at the disk afterwards can check each of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_beadscope.core.types import TRACK_ROW, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest, RecordingWriter

SHAPE = (24, 36)
BEADS = (Bead(0, Roi(1, 2, 9)), Bead(5, Roi(12, 20, 11)))
FILE_BYTES = 4096 + 37 * (SHAPE[0] * SHAPE[1] * 2 + 256)


def new_manifest(mode: str) -> Manifest:
    """Describe a recording with many small video files."""
    manifest = Manifest.new(
        mode=mode, format=FrameFormat(*SHAPE, "uint16"), beads=BEADS, fps=1000.0
    )
    manifest.video_file_bytes = FILE_BYTES
    return manifest


def pixels(frames: np.ndarray) -> np.ndarray:
    """Return the frames with these numbers, ``(n, y, x)`` uint16."""
    place = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    return ((frames[:, None, None] * 40503 + place * 2654435761) % 65521).astype(np.uint16)


def track_rows(frames: np.ndarray) -> np.ndarray:
    """Return one row for each bead and frame, with ``x_px = frame + bead / 8``."""
    rows = np.zeros(len(frames) * len(BEADS), TRACK_ROW)
    rows["frame"] = np.repeat(frames, len(BEADS))
    rows["bead"] = np.tile([bead.bead for bead in BEADS], len(frames))
    rows["time_ns"] = rows["frame"] * 1_000_000
    rows["x_px"] = rows["frame"] % 1000 + rows["bead"] / 8
    return rows


def write_on(writer: RecordingWriter, start: int, batches: int, rng: np.random.Generator) -> None:
    """Write batches of random size, some after a gap, out of memory that is reused at once."""
    ring = np.empty((16, *SHAPE), np.uint16)
    for _ in range(batches):
        if rng.random() < 0.2:
            writer.note_gap(start, start + 2, "dropped: ring full")
            start += 3
        numbers = np.arange(start, start + rng.integers(1, 17))
        start = int(numbers[-1]) + 1
        slots = ring[: len(numbers)]
        slots[:] = pixels(numbers)
        writer.write_frames(list(slots), [FrameStamp(int(k), int(k) * 1_000_000) for k in numbers])
        slots[:] = 0
        say(f"frame {start - 1}")
        if writer.manifest.mode.tracks:
            writer.write_tracks(track_rows(numbers))
            say(f"row {start - 1}")


def say(text: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Write one recording after the other; the killer decides when it is over."""
    root, mode, rng = Path(sys.argv[1]), sys.argv[2], np.random.default_rng(int(sys.argv[3]))
    if "resume" in sys.argv:
        writer = RecordingWriter.resume(root)
        say(f"resumed {writer.last_frame} {writer.last_tracked}")
        write_on(writer, (writer.last_frame or 999) + 1, 1_000_000, rng)
    say("ready")
    number = 0
    while True:
        folder = root / f"{number:04d}"
        say(f"folder {folder}")
        writer = RecordingWriter.create(folder, new_manifest(mode))
        write_on(writer, 1000, int(rng.integers(1, 40)), rng)
        writer.finish()
        say("finished")
        number += 1


if __name__ == "__main__":
    main()
