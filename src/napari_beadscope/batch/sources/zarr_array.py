"""Arrays in Zarr's formats 2 and 3, read by TensorStore.

Owns what its words mean here. Must not know images. A chunk that is missing is an error: what the
format says it is, zeros, cannot be told from an interrupted writer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError

_EXTRA = "pip install 'napari-beadscope[zarr]'"
_CACHE_BYTES = 128 * 2**20
_MISSING = "NOT_FOUND: "


class MissingChunk(Exception):
    """A chunk is not there; the message names its file."""


class DamagedChunk(Exception):
    """A chunk cannot be decoded; the message names its file."""


class ZarrArray:
    """One array.

    Parameters
    ----------
    folder : Path
        The array's own folder.

    Raises
    ------
    InputError
        There is no array, it is stored in a way that is not read, or TensorStore is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorstore
        except ImportError as error:
            raise InputError(f"{folder} needs TensorStore to be read", _EXTRA) from error
        self.folder = folder
        if read_json(folder / "zarr.json").get("node_type") == "array":
            driver = "zarr3"
        elif read_json(folder / ".zarray"):
            driver = "zarr"
        else:
            raise InputError(f"there is no Zarr array in {folder}", "copy it again")
        spec = {
            "driver": driver,
            "kvstore": {"driver": "file", "path": f"{folder.absolute()}/"},
            "fill_missing_data_reads": False,
            "recheck_cached_data": "open",
            "context": {"cache_pool": {"total_bytes_limit": _CACHE_BYTES}},
        }
        try:
            self._store = tensorstore.open(spec, open=True, read=True).result()
        except ValueError as error:
            raise InputError(
                f"the array in {folder} cannot be read ({_words(error)})",
                "copy it again, or save it with a compressor that Zarr names in its specification",
            ) from error
        self.shape = tuple(map(int, self._store.shape))
        self.dtype = np.dtype(self._store.dtype.numpy_dtype)

    def plane(self, leading: Sequence[int]) -> np.ndarray:
        """Return the last two axes at an index of all others.

        Raises
        ------
        MissingChunk, DamagedChunk
            A chunk is not there, or not whole.
        """
        try:
            return np.asarray(self._store[tuple(leading)].read().result())
        except ValueError as error:
            missing = str(error).startswith(_MISSING)
            raise (MissingChunk if missing else DamagedChunk)(_words(error)) from error

    def files(self) -> list[Path]:
        """Return every file of the array, sorted."""
        return sorted(file for file in self.folder.rglob("*") if file.is_file())


def _words(error: ValueError) -> str:
    """Return what TensorStore says, without its codes and where in its source it says so."""
    return str(error).partition(": ")[2].partition(" [")[0]


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
