"""What reading costs per frame, at 100 and at 10,000 frames, by format.

Run: python benchmarks/batch_sources.py [--frames N] [--size PX] [--formats NAME ...]
Files are written to a temporary folder; with 512 px and 10,000 frames that is 5 GB a format.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from napari_beadscope.batch.source import open_source
from napari_beadscope.core.types import AcquisitionMode, FrameFormat, FrameStamp
from napari_beadscope.storage import Manifest, RecordingWriter

CHUNK = 64


def frames(count: int, size: int) -> Iterator[np.ndarray]:
    """Give frames that compress as those of a camera do."""
    rng = np.random.default_rng(1)
    few = rng.normal(1000, 12, (8, size, size)).astype(np.uint16)
    for k in range(count):
        yield few[k % 8]


def write_ome_tiff(folder: Path, count: int, size: int, compression: str | None = None) -> Path:
    path = folder / "a.ome.tif"
    tifffile.imwrite(
        path, frames(count, size), shape=(count, size, size), dtype=np.uint16, bigtiff=True,
        photometric="minisblack", compression=compression, metadata={"axes": "TYX"},
    )  # fmt: skip
    return path


def write_compressed(folder: Path, count: int, size: int) -> Path:
    return write_ome_tiff(folder, count, size, "zlib")


def write_plain_pages(folder: Path, count: int, size: int) -> Path:
    path = folder / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for image in frames(count, size):
            writer.write(image, contiguous=False, metadata=None, photometric="minisblack")
    return path


def write_recording(folder: Path, count: int, size: int) -> Path:
    manifest = Manifest.new(
        mode=AcquisitionMode("full"), format=FrameFormat(size, size, "uint16"), fps=100.0
    )
    with RecordingWriter.create(folder / "recording", manifest) as writer:
        for k, image in enumerate(frames(count, size)):
            writer.write_frames([image], [FrameStamp(k, k * 10**7)])
        writer.finish()
    return folder / "recording"


def write_zarr(folder: Path, count: int, size: int) -> Path:
    import zarr

    group = zarr.create_group(folder / "a.zarr", zarr_format=2)
    array = group.create_array(
        "0", shape=(count, size, size), dtype="uint16", chunks=(1, size, size),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )  # fmt: skip
    for k, image in enumerate(frames(count, size)):
        array[k] = image
    axes = [{"name": name} for name in "tyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    return folder / "a.zarr"


def write_avi(folder: Path, count: int, size: int) -> Path:
    import av

    with av.open(str(folder / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = size, size, "yuvj420p"
        for image in frames(count, size):
            grey = (image >> 4).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, "gray").reformat(format="yuvj420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder / "a.avi"


FORMATS: dict[str, Callable[[Path, int, int], Path]] = {
    "OME-TIFF, contiguous": write_ome_tiff,
    "OME-TIFF, zlib": write_compressed,
    "TIFF, page by page": write_plain_pages,
    "recording": write_recording,
    "OME-Zarr, zstd": write_zarr,
    "AVI, MJPEG": write_avi,
}


def measure(path: Path) -> dict[str, float]:
    """Return the time to open, and per frame at the beginning and at the end, in ms."""
    began = time.perf_counter()
    with open_source(path) as source:
        source.fingerprint()
        opened = time.perf_counter() - began
        count = source.positions()[0].frames
        found = {"open_ms": opened * 1e3}
        for name, first in (("first", 0), ("last", count - CHUNK)):
            times = []
            for _ in range(3):
                began = time.perf_counter()
                source.read(0, 0, first, first + CHUNK)
                times.append(time.perf_counter() - began)
            found[f"{name}_ms"] = min(times) * 1e3 / CHUNK
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--frames", type=int, default=10_000)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--formats", nargs="*", default=list(FORMATS))
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    rows = []
    print(f"| {given.size} px, uint16 | frames | open, ms | a first frame, ms | a last frame, ms |")
    print("|---|---|---|---|---|")
    for name in given.formats:
        for count in (100, given.frames):
            with tempfile.TemporaryDirectory() as folder:
                found = measure(FORMATS[name](Path(folder), count, given.size))
            rows.append({"format": name, "frames": count, **found})
            cells = " | ".join(f"{found[key]:.3g}" for key in ("open_ms", "first_ms", "last_ms"))
            print(f"| {name} | {count} | {cells} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
