"""How fast recordings are written: ``python benchmarks/storage.py [--folder DIR] [--runs N]``.

Prints the median and the range of several runs. Video is compared with the same bytes through
plain `os.write` and through tifffile's contiguous writer; each run ends before `fsync`, so the
figures are those of the code and the page cache, not of the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from napari_beadscope.core.types import TRACK_ROW, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording
from napari_beadscope.storage.tables import format_profiles
from napari_beadscope.storage.tiff import MovieWriter

SIZE, SLOTS, FRAMES = 2048, 8, 240
BEADS = tuple(Bead(i, Roi(40 * (i // 10), 40 * (i % 10), 64)) for i in range(50))


def _ring() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (SLOTS, SIZE, SIZE), dtype=np.uint8)


def _stamps(first: int, count: int) -> list[FrameStamp]:
    return [FrameStamp(k, k * 10_000_000) for k in range(first, first + count)]


def plain(folder: Path, ring: np.ndarray) -> int:
    """Write the bytes alone."""
    fd = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT)
    for k in range(FRAMES):
        os.write(fd, memoryview(ring[k % SLOTS]).cast("B"))
    os.close(fd)
    return FRAMES * ring[0].nbytes


def with_tifffile(folder: Path, ring: np.ndarray) -> int:
    """Write a contiguous BigTIFF with tifffile."""
    import tifffile

    with tifffile.TiffWriter(folder / "other.tif", bigtiff=True) as writer:
        for k in range(FRAMES):
            writer.write(ring[k % SLOTS], contiguous=True)
    return FRAMES * ring[0].nbytes


def _record(mode: str, batch: int, folder: Path, ring: np.ndarray) -> int:
    manifest = Manifest.new(mode=mode, format=FrameFormat(SIZE, SIZE, "uint8"), beads=BEADS)
    writer = RecordingWriter.create(folder / "recording", manifest)
    for first in range(0, FRAMES, batch):
        slots = [ring[(first + i) % SLOTS] for i in range(batch)]
        writer.write_frames(slots, _stamps(first, batch))
    writer.close()
    if mode == "full":
        return FRAMES * ring[0].nbytes
    return FRAMES * sum(bead.roi.size**2 for bead in BEADS)


def video(folder: Path, ring: np.ndarray) -> int:
    """Record full frames, four at a time."""
    return _record("full", 4, folder, ring)


def video_one_by_one(folder: Path, ring: np.ndarray) -> int:
    """Record full frames one at a time."""
    return _record("full", 1, folder, ring)


def roi_movies(folder: Path, ring: np.ndarray) -> int:
    """Record 50 ROI movies, eight frames at a time."""
    return _record("rois", 8, folder, ring)


def long_video(folder: Path, ring: np.ndarray) -> int:
    """Record more than the page cache saves up."""
    return sum(_record("full", 4, folder / str(part), ring) for part in range(6))


def long_video_left_to_the_cache(folder: Path, ring: np.ndarray) -> int:
    """The same without handing pages to the disk early."""
    with mock.patch.object(MovieWriter, "_keep_disk_busy"):
        return long_video(folder, ring)


def _warm_up(job: Callable[[Path, np.ndarray], int], root: Path, ring: np.ndarray) -> Path:
    folder = Path(tempfile.mkdtemp(dir=root))
    with mock.patch(f"{__name__}.FRAMES", 8):
        job(folder, ring)
    return folder


def measure(job: Callable[[Path, np.ndarray], int], root: Path, runs: int) -> list[float]:
    """Return MB/s of each run."""
    ring, rates = _ring(), []
    shutil.rmtree(_warm_up(job, root, ring))
    for _ in range(runs):
        folder = Path(tempfile.mkdtemp(dir=root))
        start = time.perf_counter()
        size = job(folder, ring)
        rates.append(size / 1e6 / (time.perf_counter() - start))
        shutil.rmtree(folder)
    return rates


def _rows(count: int) -> np.ndarray:
    rng, rows = np.random.default_rng(0), np.zeros(count, TRACK_ROW)
    rows["frame"] = np.arange(count) // 50 + 10_000
    rows["bead"] = np.arange(count) % 50
    rows["time_ns"] = rows["frame"] * 10_000_000
    for name in ("x_px", "y_px", "z_nm"):
        rows[name] = rng.uniform(0, 2048, count)
    rows["quality"], rows["n_radial"] = 0.9, 32
    rows["profile"] = rng.uniform(0, 255, rows["profile"].shape)
    return rows


def table_rates(root: Path, runs: int) -> dict[str, list[float]]:
    """Return rows/s of formatting, and of writing and reading back."""
    rows = _rows(20_000)
    rates: dict[str, list[float]] = {"tracks.csv": [], "profiles.csv, 32 bins": [], "read back": []}
    for _ in range(runs):
        folder = Path(tempfile.mkdtemp(dir=root))
        manifest = Manifest.new(mode="track", format=FrameFormat(SIZE, SIZE, "uint8"), beads=BEADS)
        writer = RecordingWriter.create(folder / "recording", manifest)
        start = time.process_time()
        for first in range(0, len(rows), 500):
            writer.write_tracks(rows[first : first + 500])
        rates["tracks.csv"].append(len(rows) / (time.process_time() - start))
        writer.finish()
        start = time.process_time()
        for first in range(0, len(rows), 500):
            format_profiles(rows[first : first + 500], 0, 32)
        rates["profiles.csv, 32 bins"].append(len(rows) / (time.process_time() - start))
        start = time.process_time()
        assert len(open_recording(folder / "recording").tracks) == len(rows)
        rates["read back"].append(len(rows) / (time.process_time() - start))
        shutil.rmtree(folder)
    return rates


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--long", action="store_true", help="write 6 GB of video in each run")
    options = parser.parse_args()
    out = sys.stdout.write
    out(f"{FRAMES} frames of {SIZE}² uint8, {options.runs} runs, in {options.folder}\n")
    jobs = [plain, video, video_one_by_one, with_tifffile, roi_movies]
    if options.long:
        jobs = [long_video, long_video_left_to_the_cache]
    for job in jobs:
        rates = measure(job, options.folder, options.runs)
        out(
            f"{job.__name__:>29}: {statistics.median(rates):8.0f} MB/s "
            f"({min(rates):.0f} to {max(rates):.0f})\n"
        )
    for name, per_second in table_rates(options.folder, options.runs).items():
        out(
            f"{name:>29}: {statistics.median(per_second):8.0f} rows per CPU second "
            f"({min(per_second):.0f} to {max(per_second):.0f})\n"
        )


if __name__ == "__main__":
    main()
