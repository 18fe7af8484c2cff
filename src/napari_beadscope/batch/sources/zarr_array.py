"""Arrays in Zarr's formats 2 and 3, read chunk by chunk from a folder.

Owns metadata, codecs and shards. Must not know images. A chunk that is missing is an error: what
Zarr's own reader makes of it, zeros, cannot be told from an interrupted writer. Nothing runs in
the background here, other than with that reader.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

_ABSENT = 2**64 - 1


class MissingChunk(Exception):
    """A chunk is not there; the message names its file."""


class DamagedChunk(Exception):
    """A chunk cannot be decoded; the message names its file."""


def _image_codec(name: str, **options: Any) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        import imagecodecs

        return bytes(getattr(imagecodecs, f"{name}_decode")(data, **options))

    return decode


def _blosc(data: bytes) -> bytes:
    """Decode a chunk of blosc, which itself reads past the end of one that is cut."""
    if len(data) < 16 or int.from_bytes(data[12:16], "little") != len(data):
        raise ValueError("it is cut")
    return _image_codec("blosc")(data)


_BYTES: Mapping[str, Callable[[bytes], bytes]] = {
    "blosc": _blosc,
    "zstd": _image_codec("zstd"),
    "lz4": _image_codec("lz4", header=True),
    "gzip": gzip.decompress,
    "zlib": zlib.decompress,
    "bz2": bz2.decompress,
    "lzma": lzma.decompress,
    "crc32c": lambda data: data[:-4],
}


@dataclass(frozen=True, slots=True)
class _Shards:
    """Chunks inside of larger files, and the index that finds them."""

    shape: tuple[int, ...]
    at_end: bool
    checked: bool


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the metadata of an array say; `chunks` are those that are decoded at once."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    order: tuple[int, ...]
    codecs: tuple[str, ...]
    prefix: str
    separator: str
    shards: _Shards | None


class ZarrArray:
    """One array.

    Parameters
    ----------
    folder : Path
        The array's own folder.

    Raises
    ------
    InputError
        There is no array, or it is stored in a way that is not read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._layout = _read_layout(folder)
        self.shape = self._layout.shape
        self.dtype = self._layout.dtype.newbyteorder("=")
        self._kept: dict[tuple[int, ...], np.ndarray] = {}
        self._indices: dict[Path, np.ndarray] = {}

    def plane(self, leading: Sequence[int]) -> np.ndarray:
        """Return the last two axes at an index of all others.

        Raises
        ------
        MissingChunk, DamagedChunk
            A chunk is not there, or not whole.
        """
        layout = self._layout
        lead = tuple(at // size for at, size in zip(leading, layout.chunks))
        inside = tuple(at % size for at, size in zip(leading, layout.chunks))
        height, width = layout.shape[-2:]
        rows, columns = layout.chunks[-2:]
        if any(key[: len(lead)] != lead for key in self._kept):
            self._kept.clear()
        out = np.empty((height, width), self.dtype)
        for row, column in product(range(-(-height // rows)), range(-(-width // columns))):
            key = (*lead, row, column)
            if key not in self._kept:
                self._kept[key] = self._chunk(key)
            piece = self._kept[key][inside]
            y, x = row * rows, column * columns
            out[y : y + rows, x : x + columns] = piece[: height - y, : width - x]
        return out

    def files(self) -> list[Path]:
        """Return every file of the array, sorted."""
        return sorted(file for file in self.folder.rglob("*") if file.is_file())

    def _chunk(self, key: tuple[int, ...]) -> np.ndarray:
        layout = self._layout
        data, file = self._bytes(key)
        try:
            for codec in reversed(layout.codecs):
                data = _BYTES[codec](data)
            stored = tuple(layout.chunks[axis] for axis in layout.order)
            values = np.frombuffer(data, layout.dtype, math.prod(stored)).reshape(stored)
        except Exception as error:  # every codec has errors of its own
            raise DamagedChunk(f"{file} cannot be decoded: {error}") from error
        return values.transpose(np.argsort(layout.order)).astype(self.dtype, copy=False)

    def _bytes(self, key: tuple[int, ...]) -> tuple[bytes, Path]:
        layout = self._layout
        if layout.shards is None:
            file = self._file(key)
            return self._read(file, 0, None), file
        per_shard = tuple(shard // size for shard, size in zip(layout.shards.shape, layout.chunks))
        file = self._file(tuple(at // count for at, count in zip(key, per_shard)))
        index = self._index(file, layout.shards, per_shard)
        offset, size = index[tuple(at % count for at, count in zip(key, per_shard))]
        if offset == _ABSENT and size == _ABSENT:
            raise MissingChunk(f"chunk {key} is not in {file}")
        data = self._read(file, int(offset), int(size))
        if len(data) < size:
            raise DamagedChunk(f"{file} ends before chunk {key}")
        return data, file

    def _index(self, file: Path, shards: _Shards, per_shard: tuple[int, ...]) -> np.ndarray:
        if file not in self._indices:
            count = math.prod(per_shard) * 16
            total = count + (4 if shards.checked else 0)
            data = self._read(file, -total if shards.at_end else 0, total)
            if len(data) < total:
                raise DamagedChunk(f"{file} is too short for its index")
            index = np.frombuffer(data[:count], "<u8").reshape(*per_shard, 2)
            self._indices = {file: index}
        return self._indices[file]

    def _file(self, key: tuple[int, ...]) -> Path:
        names = [self._layout.prefix] if self._layout.prefix else []
        return self.folder / self._layout.separator.join([*names, *map(str, key)])

    @staticmethod
    def _read(file: Path, start: int, size: int | None) -> bytes:
        try:
            with open(file, "rb") as opened:
                end = opened.seek(0, 2)
                if (start < 0 and end < -start) or start + (size or 0) > end:
                    return b""
                opened.seek(start, 2 if start < 0 else 0)
                return opened.read() if size is None else opened.read(size)
        except FileNotFoundError:
            raise MissingChunk(f"there is no {file}") from None
        except OSError as error:
            raise DamagedChunk(f"{file}: {error.strerror}") from error


def read_json(file: Path) -> dict[str, Any]:
    """Return a JSON object, or nothing if there is no such file.

    Raises
    ------
    InputError
        The file is damaged.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error})", "copy it again") from error
    if not isinstance(data, dict):
        raise InputError(f"{file} does not hold metadata of Zarr", "copy it again")
    return data


def _read_layout(folder: Path) -> _Layout:
    try:
        new = read_json(folder / "zarr.json")
        layout = None
        if new.get("node_type") == "array":
            layout = _layout_3(new, folder)
        elif old := read_json(folder / ".zarray"):
            layout = _layout_2(old, folder)
        if layout is not None:
            if len(layout.chunks) != len(layout.shape) or min(layout.chunks) < 1:
                raise ValueError(f"chunks of {layout.chunks}")
            return layout
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"the metadata of the array in {folder} are damaged ({error!r})", "copy it again"
        ) from error
    raise InputError(f"there is no Zarr array in {folder}", "copy it again")


def _layout_2(data: Mapping[str, Any], folder: Path) -> _Layout:
    compressor, filters = data["compressor"], data.get("filters") or []
    codecs = tuple(str(one["id"]) for one in [*filters, *([compressor] if compressor else [])])
    _check_codecs(codecs, folder)
    axes = range(len(data["shape"]))
    return _Layout(
        shape=tuple(map(int, data["shape"])),
        chunks=tuple(map(int, data["chunks"])),
        dtype=np.dtype(data["dtype"]),
        order=tuple(reversed(axes)) if data.get("order") == "F" else tuple(axes),
        codecs=codecs,
        prefix="",
        separator=str(data.get("dimension_separator", ".")),
        shards=None,
    )


def _layout_3(data: Mapping[str, Any], folder: Path) -> _Layout:
    outer = tuple(map(int, data["chunk_grid"]["configuration"]["chunk_shape"]))
    encoding = data["chunk_key_encoding"]
    default = encoding["name"] == "default"
    separator = (encoding.get("configuration") or {}).get("separator", "/" if default else ".")
    codecs, shards, chunks = list(data["codecs"]), None, outer
    if codecs and codecs[0]["name"] == "sharding_indexed":
        if len(codecs) > 1:
            raise InputError(f"the shards of {folder} are compressed as a whole", "save it anew")
        inner = codecs[0]["configuration"]
        chunks, codecs = tuple(map(int, inner["chunk_shape"])), list(inner["codecs"])
        checked = any(one["name"] == "crc32c" for one in inner["index_codecs"])
        shards = _Shards(outer, inner.get("index_location", "end") == "end", checked)
    order, dtype = tuple(range(len(outer))), np.dtype(data["data_type"])
    names: list[str] = []
    for codec in codecs:
        settings = codec.get("configuration") or {}
        if codec["name"] == "transpose":
            order = tuple(map(int, settings["order"]))
        elif codec["name"] == "bytes":
            dtype = dtype.newbyteorder(">" if settings.get("endian") == "big" else "<")
        else:
            names.append(str(codec["name"]))
    _check_codecs(names, folder)
    shape = tuple(map(int, data["shape"]))
    prefix = "c" if default else ""
    return _Layout(shape, chunks, dtype, order, tuple(names), prefix, str(separator), shards)


def _check_codecs(names: Sequence[str], folder: Path) -> None:
    unknown = [name for name in names if name not in _BYTES]
    if unknown:
        raise InputError(
            f"{folder} is compressed by {unknown[0]!r}, which is not read",
            f"save it with one of {', '.join(_BYTES)}",
        )
