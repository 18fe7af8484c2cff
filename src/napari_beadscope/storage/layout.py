"""Names and formats of a recording's movie files, from its manifest.

Knows nothing of what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from napari_beadscope.storage.manifest import BeadRecord, Manifest
from napari_beadscope.storage.tiff import DATA_START, MovieSpec

LOCK_NAME = ".writing.lock"
_VIDEO = re.compile(r"video_\d{4,}\.ome\.tif", re.ASCII)


def video_name(number: int) -> str:
    """Return the name of the video file with that number, counted from 0."""
    return f"video_{number:04d}.ome.tif"


def bead_name(bead: int) -> str:
    """Return the name of a bead's ROI movie."""
    return f"bead_{bead:04d}.ome.tif"


def video_files(folder: Path) -> list[Path]:
    """Return the video files in `folder`, in order; a user's copy of one is none."""
    found = (path for path in folder.glob("video_*.ome.tif") if _VIDEO.fullmatch(path.name))
    return sorted(found, key=lambda path: (len(path.name), path.name))


def video_spec(manifest: Manifest) -> MovieSpec:
    """Return the format of the video files."""
    return _spec(manifest, manifest.format.height_px, manifest.format.width_px, "video")


def bead_spec(manifest: Manifest, bead: BeadRecord) -> MovieSpec:
    """Return the format of a bead's ROI movie."""
    return _spec(manifest, bead.size, bead.size, f"bead {bead.bead}")


def _spec(manifest: Manifest, height: int, width: int, name: str) -> MovieSpec:
    return MovieSpec(
        height,
        width,
        manifest.format.dtype,
        name=f"{manifest.name} {name}".strip(),
        nm_per_px=manifest.calibration.nm_per_px,
        interval_s=1 / manifest.fps if manifest.fps > 0 else 0.0,
        started_utc=manifest.started_utc,
    )


def pages_per_file(manifest: Manifest) -> int:
    """Return after how many pages a new video file begins."""
    room = manifest.video_file_bytes - DATA_START
    return max(1, room // (video_spec(manifest).page_bytes + 256))


def movie_files(folder: Path, manifest: Manifest) -> Iterator[tuple[Path, MovieSpec]]:
    """Yield every movie file of the recording that exists, with its format."""
    if manifest.mode.video:
        for path in video_files(folder):
            yield path, video_spec(manifest)
    elif manifest.mode.rois:
        for bead in manifest.beads:
            path = folder / bead_name(bead.bead)
            if path.exists():
                yield path, bead_spec(manifest, bead)
