"""What commands have in common: beads, ROI size, Z-LUT, pixel size, backend, files, folder.

Owns their checks, so that a mistake is told before anything is started or written, and how beads
are chosen. Must not know cameras or files of frames.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import Bead
from napari_beadscope.tracking import ZLut
from napari_beadscope.tracking.choice import Choice

AUTO = "auto"
_ROOM_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options as given; None where nothing was."""

    beads: str | None = AUTO
    zlut: Path | None = None
    roi_size_px: int | None = None
    nm_per_px: float | None = None
    backend: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Checked options, with the settings' values where nothing was given.

    ``size_px`` is None when the beads decide; ``zlut_path`` is '' without a Z-LUT; ``tracker`` is
    what ``backend`` comes down to in this process.
    """

    beads: str | None
    zlut: ZLut | None
    zlut_path: str
    size_px: int | None
    default_size_px: int
    nm_per_px: float
    backend: str
    tracker: Choice


def check_choices(wanted: Wanted, settings: Settings) -> Choices:
    """Check everything that can be checked without a frame.

    Raises
    ------
    InputError
        A number is out of range, a file cannot be used, the Z-LUT does not match the ROI size,
        there is no such backend or method, or the backend does not know the method.
    TrackingError
        The backend cannot run here.
    """
    from napari_beadscope.storage import read_points
    from napari_beadscope.tracking.choice import choose_backend
    from napari_beadscope.tracking.stack import MAX_SIZE_PX, MIN_SIZE_PX

    tracking = settings.tracking
    size = wanted.roi_size_px
    if size is not None and not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise InputError(
            f"ROIs of {size} px cannot be tracked", f"use {MIN_SIZE_PX} to {MAX_SIZE_PX} px"
        )
    nm_per_px = tracking.nm_per_px if wanted.nm_per_px is None else wanted.nm_per_px
    check_positive("--nm-per-px", nm_per_px)
    path = wanted.zlut or (Path(tracking.zlut).expanduser() if tracking.zlut else None)
    zlut = None
    if path is not None:
        zlut = ZLut.load(path)
        zlut.check_matches(size if size is not None else zlut.size_px)
        size = size or zlut.size_px
    if wanted.beads not in (None, AUTO):
        read_points(Path(str(wanted.beads)).expanduser())
    backend = wanted.backend or tracking.backend
    tracker = choose_backend(backend, method=wanted.method or tracking.method)
    return Choices(
        wanted.beads,
        zlut,
        str(path.expanduser().absolute()) if path is not None else "",
        size,
        tracking.roi_size_px,
        nm_per_px,
        backend,
        tracker,
    )


def choose_beads(
    choices: Choices,
    images: Iterable[np.ndarray],
    source: str,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Bead, ...]:
    """Return the beads to track, from the list given or as found in the first images.

    Parameters
    ----------
    choices : Choices
        What is asked for.
    images : iterable of (y, x) arrays
        The first frames; only as many are taken as it needs to find beads.
    source : str
        Where the images are from, for messages.
    tell : callable
        Gets what else is to be said: that some beads were left out.

    Raises
    ------
    InputError
        No bead is found, or an ROI leaves the frame.
    """
    from napari_beadscope.storage import read_beads
    from napari_beadscope.tracking import beads_from_found, find_beads, suggest_roi_size

    listed = choices.beads not in (None, AUTO)
    shape: tuple[int, ...] = ()
    found = None
    for image in images:
        shape = image.shape
        if listed and choices.size_px is not None:
            break
        found = find_beads(image, size_px=choices.size_px)
        if len(found):
            break
    if not shape:
        raise InputError(f"there is no frame in {source}", "check the source")
    size = choices.size_px
    if size is None:
        size = choices.default_size_px
        if found is not None and len(found):
            size = suggest_roi_size(found)
    frame = (shape[0], shape[1])
    if listed:
        return read_beads(Path(str(choices.beads)).expanduser(), size, frame)
    beads = beads_from_found(found, frame, size) if found is not None else ()
    if not beads:
        what = "no bead was found" if found is None or not len(found) else "every bead is cut off"
        raise InputError(
            f"{what} in the first frames of {source} (ROIs of {size} px)",
            "give a bead list with --beads FILE.csv, or another --roi-size",
        )
    left_out = len(found) - len(beads) if found is not None else 0
    if left_out:
        are = "beads are" if left_out > 1 else "bead is"
        tell(f"{left_out} {are} left out: ROIs of {size} px would leave the frame")
    return beads


def check_positive(name: str, value: float | None) -> None:
    """Raise `InputError` unless `value` is None or a finite number above 0.

    Examples
    --------
    >>> check_positive("--seconds", float("nan"))
    Traceback (most recent call last):
    ...
    napari_beadscope.core.errors.InputError: --seconds is nan: give a number above 0
    """
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} is {value:g}", "give a number above 0")


def refuse_existing(
    paths: Iterable[Path], overwrite: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """Raise `StorageError` if a file is there or cannot be written; makes nothing.

    `inputs`, and what is no plain file, are never written over.
    """
    names = list(paths)
    for path in names:
        if names.count(path) > 1:
            raise StorageError(f"{path} is to hold two things", "give two names")
        if any(one is not None and one.exists() and _same(path, one) for one in inputs):
            raise StorageError(f"{path} is what is read", "choose another name")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise StorageError(f"{path} is no plain file", "choose another name")
        if path.is_dir():
            raise StorageError(f"{path} is a folder", "name a file")
        if os.path.lexists(path) and not overwrite:
            raise StorageError(f"{path} is there already", "choose another name, or --overwrite")
        if not path.absolute().parent.is_dir():
            raise StorageError(f"there is no folder {path.parent}", "make the folder first")


def _same(path: Path, other: Path) -> bool:
    """Whether two names are one file, or one is in the folder that the other is."""
    return (path.exists() and path.samefile(other)) or (
        other.is_dir() and path.absolute().parent.samefile(other) and path.exists()
    )


def check_new_folder(folder: Path, settings: Settings) -> Path:
    """Return the absolute path of a folder that a recording can be made in; makes nothing.

    Raises
    ------
    StorageError
        It holds a recording already, cannot be made or written, or its disk is nearly full.
    """
    from napari_beadscope.storage.opening import refuse_recording
    from napari_beadscope.storage.space import check_space

    folder = folder.expanduser().absolute()
    refuse_recording(folder)
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise StorageError(
            f"cannot make the folder {folder} ({place} is not a folder)", "choose another folder"
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise StorageError(
            f"cannot write to {folder} (no permission in {place})", "choose another folder"
        )
    check_space(place, _ROOM_BYTES, int(settings.recording.min_free_gb * 1e9))
    return folder


def assumed_scale(wanted: Wanted, settings: Settings) -> str:
    """Return the sentence on the pixel size that nobody has stated, '' if somebody has."""
    nm_per_px = settings.tracking.nm_per_px
    if wanted.nm_per_px is not None or nm_per_px != Settings().tracking.nm_per_px:
        return ""
    return f"x and y in nm assume {nm_per_px:g} nm per px; say otherwise with --nm-per-px"
