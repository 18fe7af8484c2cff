"""What a folder holds that a batch can process. Must not know plans or steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_beadscope.batch.source import open_source
from napari_beadscope.batch.sources import FORMATS
from napari_beadscope.batch.sources.images import image_files
from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.replay.source import TIFF_ENDINGS, natural_key

_DEPTH = 4
#: Files by which a folder of results is known: what is in it is no input.
_RESULTS = ("journal.sqlite", "processing_results.yaml")


def discover(path: Path) -> list[Path]:
    """Return the sources that a path is, or that are in its folder and folders below, in order.

    A folder of images with one plane each is one source; of files with several planes, each is,
    and JPEG, PNG or BMP pictures beside them are none.

    Raises
    ------
    InputError
        There is nothing.
    """
    place = path.expanduser().absolute()
    if not place.exists():
        raise InputError(f"there is nothing at {place}", "check the path")
    if not place.is_dir():
        return [place]
    found = list(_below(place, _DEPTH))
    if not found:
        known = ", ".join(one.words for one in FORMATS)
        raise InputError(f"there is nothing to process in {place}", f"give {known}")
    return found


def _below(folder: Path, depth: int) -> Iterator[Path]:
    if any(one.fits(folder) for one in FORMATS if not one.folders):
        yield folder
        return
    if any((folder / name).exists() for name in _RESULTS):
        return
    images = image_files(folder)
    tiffs = [file for file in images if file.suffix.lower() in TIFF_ENDINGS]
    largest = max(tiffs or images, key=lambda file: file.stat().st_size, default=None)
    if largest is not None and _one_plane_each(largest):
        yield folder
        images = []
    endings = tuple(end for one in FORMATS if not one.folders for end in one.endings)
    entries = sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if depth:
                yield from _below(entry, depth - 1)
        elif entry.suffix.lower() in TIFF_ENDINGS:
            if entry in images:
                yield entry
        elif entry.name.lower().endswith(endings):
            yield entry


def _one_plane_each(file: Path) -> bool:
    if file.suffix.lower() not in TIFF_ENDINGS:
        return True
    try:
        with open_source(file) as source:
            return sum(len(one.channels) * one.frames for one in source.positions()) == 1
    except InputError:
        return False
