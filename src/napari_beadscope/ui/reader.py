"""Recordings as layers, and what napari's File → Open hands to which reader.

Owns the choice of reader and what becomes of a recording's folder; tables are in
`table_layers`. Must not know Qt, or what is in the files: `storage` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Annotation, Calibration
from napari_beadscope.storage import Recording, open_recording
from napari_beadscope.storage.beads_csv import is_bead_list
from napari_beadscope.storage.layout import bead_name
from napari_beadscope.storage.magscope import is_magscope_hdf5, is_magscope_text
from napari_beadscope.storage.tracks_csv import is_track_table
from napari_beadscope.ui.batch_layers import BATCH_FILES, batch_folder, read_batch
from napari_beadscope.ui.lazy_stack import LazyStack
from napari_beadscope.ui.opened import KEY, Opened
from napari_beadscope.ui.table_layers import (
    LayerData,
    bead_layer,
    read_bead_file,
    read_hdf5_file,
    read_text_file,
    read_track_file,
    track_layer,
)

MANIFEST = "recording.yaml"
Reader = Callable[[Any], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader for a recording, a batch, a table, or MagScope's files.

    Anything else, also another CSV, text or HDF5 file, is not ours: None.
    """
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.is_dir() or place.name == MANIFEST:
        if batch_folder(place) is not None:
            return read_batch
        is_ours = place.name == MANIFEST or (place / MANIFEST).is_file()
        return read_recording if is_ours else None
    if place.name in BATCH_FILES:
        return read_batch if batch_folder(place) is not None else None
    tests: dict[str, tuple[tuple[Callable[[Path], bool], Reader], ...]] = {
        ".csv": ((is_track_table, read_track_file), (is_bead_list, read_bead_file)),
        ".h5": ((is_magscope_hdf5, read_hdf5_file),),
        ".txt": ((is_magscope_text, read_text_file),),
    }
    for is_such, reader in tests.get(place.suffix.lower(), ()):
        if is_such(place):
            return reader
    return None


def read_recording(path: str | Path) -> list[LayerData]:
    """Return the layers of a recording; frames are read from disk when they are shown.

    Parameters
    ----------
    path : str or Path
        The folder, or the recording.yaml in it.

    Returns
    -------
    list of (data, attributes, type)
        Video, or ROI movies at their places, as an Image ``(t, y, x)``; Tracks
        ``(bead, t, y, x)`` with z, quality, frame and time as features; beads as Points.
        Coordinates are pixels of the full frame, drawn in um; t counts frames on disk, and goes
        on by their numbers where rows have no frame. What is said about beads are features of the
        beads.

    What is missing, or cannot be read, of a damaged recording is told as a warning of napari.

    Raises
    ------
    StorageError
        There is no recording, or it cannot be understood.
    """
    recording = open_recording(path)
    name = recording.folder.name
    opened = _opened(recording)
    metadata = _metadata(recording, opened)
    layers = [*_images(recording, name, opened), *_tracks(recording, name, opened)]
    if recording.beads:
        centres = np.array([bead.roi.centre_px for bead in recording.beads])
        ids = [bead.bead for bead in recording.beads]
        sizes = [bead.roi.size for bead in recording.beads]
        layers.append(bead_layer(f"{name} beads", opened, ids, centres, sizes))
    _tell_what_is_missing(recording)
    if not layers:
        empty = np.zeros(recording.manifest.frame_format.shape, np.uint8)
        layers = [(empty, {"name": f"{name} (no frames)", **opened.placing(2)}, "image")]
    for _, attributes, _ in layers:
        attributes["metadata"] = {**attributes.get("metadata", {}), **metadata}
    return layers


class RoiMosaic(LazyStack):
    """ROI movies at their places in the frame, as one lazy array ``(t, y, x)``.

    Parameters
    ----------
    movies : sequence of ndarray
        One ``(t, y, x)`` per ROI.
    corners : sequence of (y0, x0)
        Where each ROI lies.
    shape : tuple of int
        ``(y, x)`` of the full frame.

    Examples
    --------
    >>> mosaic = RoiMosaic([np.ones((3, 2, 2), np.uint8)], [(1, 1)], (4, 4))
    >>> mosaic.shape, int(mosaic[0].sum())
    ((3, 4, 4), 4)
    """

    def __init__(
        self,
        movies: Sequence[np.ndarray],
        corners: Sequence[tuple[int, int]],
        shape: tuple[int, int],
    ) -> None:
        self._movies, self._corners = movies, corners
        super().__init__((min(len(movie) for movie in movies), *shape), movies[0].dtype)

    def frame(self, number: int) -> np.ndarray:
        """Return one frame ``(y, x)``."""
        frame = np.zeros(self.shape[1:], self.dtype)
        for movie, (y0, x0) in zip(self._movies, self._corners):
            crop = movie[number]
            frame[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
        return frame


def _images(recording: Recording, name: str, opened: Opened) -> list[LayerData]:
    mode, folder = recording.manifest.mode, recording.folder
    here = recording.beads if mode.rois else ()
    beads = [bead for bead in here if (folder / bead_name(bead.bead)).exists()]
    frames: Any
    if mode.video:
        frames, label = recording.frames, name
    elif beads:
        frames = RoiMosaic(
            [recording.roi_movie(bead.bead) for bead in beads],
            [(bead.roi.y0, bead.roi.x0) for bead in beads],
            recording.manifest.frame_format.shape,
        )
        label = f"{name} ROIs"
    else:
        return []
    if not len(frames):
        return []
    first = frames[0]
    seen = first[first > 0] if not mode.video and first.any() else first
    low, high = (float(value) for value in np.percentile(seen, (0.1, 99.9)))
    attributes = {
        "name": label,
        "contrast_limits": (low, max(high, low + 1.0)),
        "axis_labels": ("t", "y", "x"),
        **opened.placing(3),
    }
    return [(frames, attributes, "image")]


def _tracks(recording: Recording, name: str, opened: Opened) -> list[LayerData]:
    rows, mode = recording.tracks, recording.manifest.mode
    on_disk = recording.frame_numbers if mode.video or mode.rois else np.unique(rows["frame"])
    # With frames missing, the place of a frame in the file is not its number.
    times = np.searchsorted(on_disk, rows["frame"])
    last = on_disk[-1] if len(on_disk) else -1
    beyond = rows["frame"] > last
    times[beyond] = len(on_disk) - 1 + rows["frame"][beyond] - last
    return track_layer(f"{name} tracks", opened, rows, times)


def _opened(recording: Recording) -> Opened:
    folder, calibration = recording.folder, recording.manifest.calibration
    zlut = str(folder / calibration.zlut) if calibration.zlut else ""
    known = Calibration(calibration.nm_per_px, zlut)
    return Opened(folder, known, _annotations(recording), recording)


def _annotations(recording: Recording) -> dict[int, Annotation]:
    """Return what is said on disk; a damaged file is no reason to withhold video and tracks."""
    try:
        return recording.annotations
    except InputError as error:
        show_warning(f"Annotations cannot be shown or saved until this is mended: {error}")
        return {}


def _tell_what_is_missing(recording: Recording) -> None:
    missing = recording.missing
    if missing:
        show_warning(
            f"The recording in {recording.folder} is damaged: {' and '.join(missing)} are missing. "
            f'Run `beadscope recover "{recording.folder}"`'
        )


def _metadata(recording: Recording, opened: Opened) -> dict[str, Any]:
    manifest = recording.manifest
    return {
        KEY: opened,
        "beadscope_recording": str(recording.folder),
        "state": manifest.state,
        "gaps": [(gap.first, gap.last, gap.cause) for gap in recording.gaps],
    }
