"""What napari's File → Save makes of our layers, and of others.

Owns which file a layer becomes, and that a recording's own files are never written over. Must not
know how files are laid out: `storage` writes them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.storage.annotations import check_texts
from napari_beadscope.storage.bead_table import write_bead_table
from napari_beadscope.storage.beads_csv import BeadPoint
from napari_beadscope.storage.export import crop_movie, write_ome_tiff
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.storage.tracks_csv import UNKNOWN_REASON, write_track_table
from napari_beadscope.ui.opened import (
    KEY,
    Opened,
    annotations_in,
    bead_ids,
    bead_layer_of,
    roi_sizes,
)
from napari_beadscope.ui.reader import MANIFEST

LayerTuple = tuple[Any, dict[str, Any], str]
_ROLE = "napari-beadscope"  # of a live layer, in its metadata
_MAX_NAME = 255 - len("..12345678.part")  # bytes that systems take, less those of unfinished files
_UM = ("um", "micrometer", "µm")
#: Files of a recording.
_OWN = (
    *(MANIFEST, "frames.csv", "tracks.csv", "profiles.csv", "annotations.csv", "tracks.h5"),
    *("zlut*.txt", "video_*.tif", "bead_*.tif"),
)


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image or a movie as OME-TIFF, with the size of a pixel if it is known.

    Parameters
    ----------
    path : str
        A name, best with .ome.tif, .tif or .tiff.
    data : array-like
        ``(y, x)``, ``(t, y, x)`` or ``(t, z, y, x)``; read frame by frame.
    attributes : dict
        Of the layer.

    Raises
    ------
    BeadscopeError
        It cannot be saved; says why.
    """
    target = _target(path, (".ome.tif", ".tif", ".tiff"))
    if attributes.get("multiscale"):
        data = data[0]
    opened = _opened(attributes)
    fps = opened.recording.manifest.fps if opened and opened.recording else 0.0
    write_ome_tiff(
        target,
        data,
        um_per_px=_side_um(attributes),
        interval_s=1 / fps if fps else 0.0,
        z_um=_step_um(attributes),
        name=str(attributes.get("name", "")),
        rgb=bool(attributes.get("rgb")),
    )
    return [str(target)]


def write_points(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write beads, or any points, as a table of beads.

    Parameters
    ----------
    path : str
        A name, best with .beads.csv.
    data : ndarray
        ``(n, 2)`` or more axes before y and x.
    attributes : dict
        Of the layer; a feature ``bead`` numbers the beads, else they are counted.

    Raises
    ------
    BeadscopeError
        They cannot be saved; says why.
    """
    target = _target(path, (".beads.csv", ".csv"), "beads")
    beads, sizes, centres = _beads(data, attributes)
    points = [BeadPoint(bead, float(y), float(x)) for bead, (y, x) in zip(beads, centres)]
    side = _side_um(attributes)
    said = _said_of_points(attributes)
    check_texts(said)
    write_bead_table(target, points, sizes, side * 1000, said)
    return [str(target)]


def write_tracks(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write tracks as an annotated table.

    Of an opened recording or table these are all its rows, also those that the layer leaves out
    because there are too many, or because nothing was found.

    Parameters
    ----------
    path : str
        A name, best with .tracks.csv.
    data : ndarray
        ``(n, 4)`` ID, t, y, x.
    attributes : dict
        Of the layer.

    Raises
    ------
    BeadscopeError
        They cannot be saved; says why.
    """
    target = _target(path, (".tracks.csv", ".csv"), "tracks")
    said = _said_of_tracks(attributes)
    check_texts(said)
    write_track_table(target, _rows(np.asarray(data), attributes), said)
    return [str(target)]


def write_folder(path: str, layers: Sequence[LayerTuple]) -> list[str]:
    """Write several layers into a new folder; beads with a movie get ROI movies of their own.

    Parameters
    ----------
    path : str
        A name, best with .beadscope; must not exist.
    layers : sequence of (data, attributes, type)
        Images, tracks and points.

    Raises
    ------
    BeadscopeError
        They cannot be saved; says why. Then there is no folder.
    """
    target = _target(path, (".beadscope",))
    if target.exists():
        raise StorageError(f"{target} is there already", "choose another name")
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir()
        for data, attributes, kind in layers:
            _write_into(part, data, attributes, kind)
            if kind == "points" and "bead" in attributes.get("features", {}):
                _write_rois(part, data, attributes, layers)
        os.replace(part, target)
    except OSError as error:
        raise StorageError(
            f"cannot write {target} ({error.strerror})", "check the folder and free space"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [str(one) for one in sorted(target.iterdir())]


def _write_into(folder: Path, data: Any, attributes: dict[str, Any], kind: str) -> None:
    endings = {"image": ".ome.tif", "points": ".beads.csv", "tracks": ".tracks.csv"}
    writers = {"image": write_image, "points": write_points, "tracks": write_tracks}
    stem = "".join(c if c.isalnum() or c in " ._-+" else "_" for c in attributes["name"])
    for word in (" beads", " tracks"):
        stem = stem.removesuffix(word)
    target = folder / f"{stem.strip(' .') or kind}{endings[kind]}"
    number = 2
    while target.exists():
        target = folder / f"{stem} {number}{endings[kind]}"
        number += 1
    writers[kind](str(target), data, attributes)


def _write_rois(
    folder: Path, data: Any, attributes: dict[str, Any], layers: Sequence[LayerTuple]
) -> None:
    """Write the movie of each bead's ROI, out of the movie that the beads belong to."""
    ids, sizes, centres = _beads(data, attributes)
    movies = [
        (frames, other)
        for frames, other, kind in layers
        if kind == "image" and _origin(other) is not None and _origin(other) == _origin(attributes)
    ]
    for frames, other in movies:
        if len(frames.shape) != 3 or other.get("rgb") or not all(sizes):
            continue
        for bead, size, (y, x) in zip(ids, sizes, centres):
            movie = crop_movie(frames, Bead(bead, Roi.around(float(y), float(x), size)))
            target = str(folder / f"bead_{bead:04d}.ome.tif")
            write_image(target, movie, {**other, "name": f"bead {bead}"})


def _target(path: str, endings: Sequence[str], word: str = "") -> Path:
    """Return where to write.

    napari's dialog hands over a name as it was typed: one without an ending gets the first of
    `endings`, and one without `word` gets that, by which the file is known again.

    Raises
    ------
    StorageError
        It is, or would look like, a recording's own file; the name is too long; there is no such
        folder; or what is there by the completed name would be lost.
    """
    given = Path(path).expanduser().absolute()
    folder, name = given.parent, given.name
    if not name.lower().endswith(tuple(endings)):
        name += endings[0]
    elif word not in name.lower():
        name = name[: -len(given.suffix)] + f".{word}{given.suffix}"
    target = folder / name
    length = len(name.encode(errors="replace"))
    if length > _MAX_NAME or any(len(one.encode(errors="replace")) > 255 for one in folder.parts):
        raise StorageError(
            f"the name {name[:40]}… is too long, or that of its folder",
            f"use at most {_MAX_NAME} characters",
        )
    own = any(fnmatch(name.lower(), pattern) for pattern in _OWN)
    if own and (folder / MANIFEST).exists():
        raise StorageError(
            f"{name} in {folder} belongs to the recording, which stays as it was measured",
            "choose another name or folder",
        )
    if not folder.is_dir():
        raise StorageError(f"there is no folder {folder}", "make it, or choose another one")
    if target.exists() and target != given:  # nobody has agreed to lose that
        raise StorageError(f"{target} is there already", "choose another name")
    return target


def _opened(attributes: dict[str, Any]) -> Opened | None:
    return attributes.get("metadata", {}).get(KEY)


def _origin(attributes: dict[str, Any]) -> Any:
    """Return what layers that belong together have in common; None for others' layers."""
    opened = _opened(attributes)
    if opened is not None:
        return opened
    return "live" if _ROLE in attributes.get("metadata", {}) else None


def _side_um(attributes: dict[str, Any]) -> float:
    """Return the size in um of one unit of the layer's data, 0 if it is not drawn in um."""
    units = [str(unit) for unit in attributes.get("units") or ()]
    if not units or units[-1] not in _UM:
        return 0.0
    return float(np.asarray(attributes["scale"])[-1])


def _step_um(attributes: dict[str, Any]) -> float:
    """Return the step in um of the axis before y and x, 0 if that is not z."""
    labels, units = list(attributes.get("axis_labels") or ()), list(attributes.get("units") or ())
    if len(labels) != 3 or labels[0] != "z" or str(units[0]) not in _UM:
        return 0.0
    return float(np.asarray(attributes["scale"])[0])


def _beads(data: Any, attributes: dict[str, Any]) -> tuple[list[int], list[int], np.ndarray]:
    """Return IDs, sides of the ROIs and ``(n, 2)`` centres, px."""
    centres = np.asarray(data, float)
    if centres.ndim != 2 or centres.shape[1] < 2 or not len(centres):
        raise InputError("the layer has no points", "choose another one, or add beads")
    centres = centres[:, -2:]
    opened, features = _opened(attributes), attributes.get("features")
    if opened is not None and opened.in_um:
        raise InputError(
            "these positions are in um, and a table of beads is in px",
            "take the beads over into the live session, where the size of a pixel is known",
        )
    if features is None or "bead" not in features:
        return list(range(len(centres))), [0] * len(centres), centres
    sizes = roi_sizes(features)
    if opened is None and _ROLE in attributes.get("metadata", {}):
        sizes = [round(float(size)) for size in np.broadcast_to(attributes["size"], len(centres))]
    return bead_ids(features), sizes, centres


def _said_of_points(attributes: dict[str, Any]) -> dict[int, Annotation]:
    features = attributes.get("features")
    if features is None or "bead" not in features:
        return {}
    if _origin(attributes) == "live":
        return _live_annotations()
    return annotations_in(features)


def _said_of_tracks(attributes: dict[str, Any]) -> dict[int, Annotation]:
    """Return what the layer of beads says that was opened together with the tracks."""
    import napari

    opened = _opened(attributes)
    if opened is None:
        return {}
    viewer = napari.current_viewer()
    beads = None if viewer is None else bead_layer_of(viewer.layers, opened)
    return opened.annotations if beads is None else annotations_in(beads.features)


def _live_annotations() -> dict[int, Annotation]:
    import napari

    from napari_beadscope.ui.host import host_of

    viewer = napari.current_viewer()
    return {} if viewer is None else dict(host_of(viewer).session.model.annotations)


def _rows(data: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    opened = _opened(attributes)
    if opened is not None and opened.rows is not None and _is_as_drawn(data, opened):
        return opened.rows
    if _origin(attributes) == "live":
        raise InputError(
            "the trails show the last seconds only and cannot be saved",
            "make a recording, open it, and save its tracks",
        )
    if data.ndim != 2 or data.shape[1] != 4:
        raise InputError("tracks with an axis z cannot be saved", "choose tracks of t, y, x")
    rows = np.zeros(len(data), TRACKS)
    for name in ("time_s", "x_nm", "y_nm", "z_nm", "x_px", "y_px", "quality"):
        rows[name] = np.nan
    rows["reason"] = UNKNOWN_REASON
    rows["bead"], rows["frame"] = data[:, 0], np.rint(data[:, 1])
    features = attributes.get("features")
    for name in ("frame", "time_s", "z_nm", "quality", "reason"):
        if features is not None and name in features:
            rows[name] = features[name]
    side = _side_um(attributes)
    if opened is None or not opened.in_um:
        rows["y_px"], rows["x_px"] = data[:, 2], data[:, 3]
    if side:
        rows["y_nm"], rows["x_nm"] = data[:, 2] * side * 1000, data[:, 3] * side * 1000
    return rows[np.lexsort((rows["bead"], rows["frame"]))]


def _is_as_drawn(data: np.ndarray, opened: Opened) -> bool:
    return opened.drawn is not None and np.array_equal(data, opened.drawn)
