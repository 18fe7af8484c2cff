"""The formats that batches read, as data: what they look like, and which class reads them.

Owns the choice of format for a path. Must not import a format before it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.batch.source import Source


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name, how its files or folders look, and ``module:Class`` of its reader.

    A path is of the format if its name ends like one of `endings`, or if it is a folder that holds
    one of `markers`; with `folders` any other folder is, too. `words` are for people.
    """

    kind: str
    words: str
    reader: str
    endings: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    folders: bool = False

    def fits(self, path: Path) -> bool:
        """Return True if the path looks like this format."""
        if path.is_dir() and any((path / marker).exists() for marker in self.markers):
            return True
        if self.folders and path.is_dir():
            return True
        return path.name.lower().endswith(self.endings)

    def open(self, path: Path) -> Source:
        """Open a path of this format."""
        module, name = self.reader.split(":")
        return cast("Source", getattr(import_module(module), name)(path))


_HERE = "napari_beadscope.batch.sources"
#: In the order in which they are tried.
FORMATS: tuple[Format, ...] = (
    Format(
        "recording",
        "a recording",
        f"{_HERE}.recording:RecordingSource",
        markers=("recording.yaml",),
        endings=("recording.yaml",),
    ),
    Format(
        "zarr",
        "OME-Zarr",
        f"{_HERE}.zarr:ZarrSource",
        markers=(".zattrs", ".zgroup", "zarr.json"),
        endings=(".zarr",),
    ),
    Format(
        "tiff",
        "TIFF or OME-TIFF",
        f"{_HERE}.tiff:TiffSource",
        endings=(".tif", ".tiff", ".btf", ".tf8", ".tf2"),
    ),
    Format(
        "video",
        "AVI, MP4 and other movies",
        f"{_HERE}.video:VideoSource",
        endings=(".avi", ".mp4", ".mkv", ".mov", ".m4v", ".webm", ".wmv", ".mpg"),
    ),
    Format(
        "vendor",
        "ND2, CZI or LIF",
        f"{_HERE}.vendor:VendorSource",
        endings=(".nd2", ".czi", ".lif"),
    ),
    Format(
        "images",
        "a folder of images",
        f"{_HERE}.images:FolderSource",
        endings=(".png", ".jpg", ".jpeg", ".bmp"),
        folders=True,
    ),
)


def find_format(path: Path) -> Format:
    """Return the format of a file or folder.

    Raises
    ------
    InputError
        There is nothing at `path`, or nothing reads it.
    """
    if not path.exists():
        raise InputError(f"there is nothing at {path}", "check the path")
    for one in FORMATS:
        if one.fits(path):
            return one
    known = ", ".join(one.words for one in FORMATS)
    raise InputError(f"nothing reads {path}", f"give {known}")
