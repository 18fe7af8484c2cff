"""Writes OME-Zarr folders with Zarr's own library, which leaves a thread behind: run as a script.

The arguments are the folder, and the file with the frames ``(t, c, y, x)``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec, GzipCodec, TransposeCodec, ZstdCodec

AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
#: Of each kind: how Zarr is to store it.
KINDS = {
    "v2-blosc": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "v2-plain": {"zarr_format": 2, "compressors": None, "order": "F"},
    "v3-zstd": {"zarr_format": 3, "compressors": ZstdCodec(level=1, checksum=True)},
    "v3-blosc": {"zarr_format": 3, "compressors": BloscCodec(cname="lz4")},
    "v3-turned": {"zarr_format": 3, "filters": TransposeCodec(order=(3, 2, 1, 0))},
    "v3-shards": {"zarr_format": 3, "shards": (4, 2, 64, 96), "compressors": GzipCodec()},
}


def image(
    group: zarr.Group, stack: np.ndarray, axes: list | None = None, **options: object
) -> None:
    array = group.create_array(
        "0", shape=stack.shape, dtype=stack.dtype, chunks=(2, 1, 32, 48), **options,
        config={"write_empty_chunks": True},
    )  # fmt: skip
    array[...] = stack
    scale = [{"type": "scale", "scale": [2.5, 1.0, 0.1, 0.1]}]
    axes = AXES if axes is None else axes
    said = {
        "multiscales": [
            {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
        ],
        "omero": {"channels": [{"label": "Phase"}, {"label": "GFP"}]},
    }
    new = group.metadata.zarr_format == 3
    group.attrs.update({"ome": {"version": "0.5", **said}} if new else said)


def main(folder: Path, stack: np.ndarray) -> None:
    for kind, options in KINDS.items():
        options = dict(options)
        version = int(options.pop("zarr_format"))
        order = {"order": options.pop("order")} if "order" in options else {}
        root = zarr.create_group(folder / f"{kind}.ome.zarr", zarr_format=version)
        image(root, stack, **options, **order)
    bare = [{"name": name} for name in "tcyx"]
    image(zarr.create_group(folder / "no-units.zarr", zarr_format=2), stack, bare)
    plate = zarr.create_group(folder / "plate.zarr", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    for at, name in enumerate(("A/1", "B/2")):
        well = plate.create_group(name)
        well.attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
        for field in range(2):
            image(well.create_group(str(field)), stack + np.uint16(10 * at + field))
    series = zarr.create_group(folder / "series.zarr", zarr_format=2)
    series.attrs["bioformats2raw.layout"] = 3
    for at in range(3):
        image(series.create_group(str(at)), stack + np.uint16(at))


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]))
