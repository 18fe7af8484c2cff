"""Recordings as layers: video or ROI movies, tracks, beads.

Owns what napari's File → Open makes of a recording's folder. Must not know Qt, or what is in
the files: `storage` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.storage import Recording, open_recording
from napari_beadscope.ui.colours import GappyColormap

LayerData = tuple[Any, dict[str, Any], str]
MANIFEST = "recording.yaml"
#: napari draws this many Tracks vertices in about a tenth of a second.
MAX_VERTICES = 200_000


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader if `path` is a recording's folder or its recording.yaml, else None."""
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.name == MANIFEST or (place / MANIFEST).is_file():
        return read_recording
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
        Coordinates are pixels of the full frame, t counts frames on disk.

    Raises
    ------
    StorageError
        There is no recording, or it cannot be understood.
    """
    recording = open_recording(path)
    name = recording.folder.name
    layers = [*_images(recording, name), *_tracks(recording, name), *_beads(recording, name)]
    if layers:
        return layers
    empty = np.zeros(recording.manifest.frame_format.shape, np.uint8)
    return [(empty, {"name": f"{name} (no frames)", "metadata": _metadata(recording)}, "image")]


class RoiMosaic:
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

    ndim = 3

    def __init__(
        self,
        movies: Sequence[np.ndarray],
        corners: Sequence[tuple[int, int]],
        shape: tuple[int, int],
    ) -> None:
        self._movies, self._corners = movies, corners
        self.shape = (min(len(movie) for movie in movies), *shape)
        self.dtype = movies[0].dtype.newbyteorder("=")
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        first, rest = key[0], key[1:]
        if isinstance(first, (int, np.integer)):
            return self._frame(int(first))[rest]
        frames = [self._frame(int(i)) for i in np.arange(len(self))[first]]
        stack = np.stack(frames) if frames else np.zeros((0, *self.shape[1:]), self.dtype)
        return stack[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def _frame(self, number: int) -> np.ndarray:
        frame = np.zeros(self.shape[1:], self.dtype)
        for movie, (y0, x0) in zip(self._movies, self._corners):
            crop = movie[number]
            frame[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
        return frame


def _images(recording: Recording, name: str) -> list[LayerData]:
    mode = recording.manifest.mode
    frames: Any
    if mode.video:
        frames, label = recording.frames, name
    elif mode.rois and recording.beads:
        frames = RoiMosaic(
            [recording.roi_movie(bead.bead) for bead in recording.beads],
            [(bead.roi.y0, bead.roi.x0) for bead in recording.beads],
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
        "metadata": _metadata(recording),
        "axis_labels": ("t", "y", "x"),
    }
    return [(frames, attributes, "image")]


def _tracks(recording: Recording, name: str) -> list[LayerData]:
    rows = recording.tracks
    rows = rows[np.isfinite(rows["x_px"]) & np.isfinite(rows["y_px"])]
    if not len(rows):
        return []
    step = max(1, -(-len(rows) // MAX_VERTICES))
    if step > 1:
        frames = np.unique(rows["frame"])
        rows = rows[np.isin(rows["frame"], frames[::step])]
    rows = rows[np.lexsort((rows["frame"], rows["bead"]))]
    mode = recording.manifest.mode
    on_disk = recording.frame_numbers if mode.video or mode.rois else np.unique(rows["frame"])
    # With frames missing, the place of a frame in the file is not its number.
    times = np.searchsorted(on_disk, rows["frame"]).clip(0, max(0, len(on_disk) - 1))
    data = np.stack([rows["bead"], times, rows["y_px"], rows["x_px"]], axis=1).astype(float)
    # What was not measured is NaN, as in the recording's table.
    features = {column: rows[column] for column in ("frame", "time_s", "z_nm", "quality", "bead")}
    gappy = [column for column, values in features.items() if np.isnan(values).any()]
    attributes = {
        "name": f"{name} tracks" + (f" (every {step}. frame)" if step > 1 else ""),
        "features": features,
        "colormaps_dict": {column: GappyColormap.spanning(rows[column]) for column in gappy},
        "blending": "translucent",
        "metadata": {**_metadata(recording), "every_frame": step},
    }
    return [(data, attributes, "tracks")]


def _beads(recording: Recording, name: str) -> list[LayerData]:
    beads = recording.beads
    if not beads:
        return []
    attributes = {
        "name": f"{name} beads",
        "features": {
            "bead": np.array([bead.bead for bead in beads]),
            "roi_size_px": np.array([bead.roi.size for bead in beads]),
        },
        "size": np.array([float(bead.roi.size) for bead in beads]),
        "symbol": "square",
        "face_color": "transparent",
        "border_color": "#ffd400",
        "border_width": 0.03,
        "text": {
            "string": "{bead}",
            "size": 9,
            "color": "#ffd400",
            "anchor": "lower_left",
            "translation": np.full(2, -max(bead.roi.size for bead in beads) / 2),
        },
        "metadata": _metadata(recording),
    }
    centres = np.array([bead.roi.centre_px for bead in beads])
    return [(centres, attributes, "points")]


def _metadata(recording: Recording) -> dict[str, Any]:
    manifest = recording.manifest
    return {
        "beadscope_recording": str(recording.folder),
        "state": manifest.state,
        "gaps": [(gap.first, gap.last, gap.cause) for gap in recording.gaps],
    }
