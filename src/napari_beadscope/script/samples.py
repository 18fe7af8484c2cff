"""Sample data made on the simulated microscope: a pull, as a real recording, and a focus sweep.

Owns what the samples show. Must not know Qt, napari or where samples are kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from napari_beadscope.core.types import (
    TRACK_ROW,
    AcquisitionMode,
    Annotation,
    Bead,
    Calibration,
    FrameStamp,
    Roi,
)
from napari_beadscope.script.simulated_zlut import PLANES_NM, simulated_zlut

Progress = Callable[[int, int], None]
ROI_PX = 64
PULL_FPS = 50.0
PULL_FRAMES = 600
#: Where the magnet is at which frame: it rests, comes near within 8 s, and rests.
_MAGNET_FRAMES, _MAGNET_MM = (0, 100, 500, 600), (0.0, 0.0, 8.0, 8.0)
_PULL: dict[str, Any] = {
    "width_px": 256,
    "height_px": 256,
    "beads": 6,
    "seed": 11,
    "fps": PULL_FPS,
    "force_pn": 0.15,
    "spacing_px": 80.0,
    "debris_per_mpx": 20.0,
}
_SWEEP: dict[str, Any] = {
    **_PULL,
    "seed": 5,
    "brownian": False,
    "height_spread_nm": 0.0,
    "drift_nm": 0.0,
    "drift_z_nm": 0.0,
}
_BATCH = 50


def magnet_mm(frames: np.ndarray) -> np.ndarray:
    """Return where the magnet is in these frames of the pull, mm.

    Examples
    --------
    >>> magnet_mm(np.array([0, 300, 599])).round(2).tolist()
    [0.0, 4.0, 8.0]
    """
    return np.interp(frames, _MAGNET_FRAMES, _MAGNET_MM)


def record_pull(folder: Path, progress: Progress) -> Path:
    """Make the recording of a force ramp in `folder`, whole or not at all; return the folder.

    Video of 600 frames at 50 fps, tracks with z, a Z-LUT and annotations. The nearer the magnet,
    the longer the tethers and the less the beads jitter.

    Parameters
    ----------
    folder : Path
        Returned as it is if it is there already.
    progress : callable
        Called with how many of how many steps are done.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.storage import RecordingWriter
    from napari_beadscope.storage.annotations import ANNOTATIONS_NAME, write_annotations

    if (folder / "recording.yaml").exists():
        return folder
    total = 1 + 2 * PULL_FRAMES // _BATCH
    progress(0, total)
    microscope = SimulatedMicroscope(_PULL)
    beads = _beads(microscope)
    part = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        path = part / "made.txt"
        zlut = simulated_zlut(microscope, ROI_PX)
        zlut.save(path)
        progress(1, total)
        manifest = _manifest(microscope, beads, path, folder.name)
        with RecordingWriter.create(part / "r", manifest) as writer:
            for number in range(0, PULL_FRAMES, _BATCH):
                frames = np.arange(number, min(number + _BATCH, PULL_FRAMES))
                places = zip(frames, magnet_mm(frames))
                video = np.stack([microscope.render(int(k), 0.0, float(mm)) for k, mm in places])
                writer.write_frames(video, [FrameStamp(int(k), _time_ns(k)) for k in frames])
                progress(2 + 2 * number // _BATCH, total)
                writer.write_tracks(_rows(video, frames, beads, zlut))
                progress(3 + 2 * number // _BATCH, total)
        said = {bead.bead: Annotation("tether of 1 µm", note="simulated") for bead in beads}
        write_annotations(part / "r" / ANNOTATIONS_NAME, said)
        os.replace(part / "r", folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def focus_sweep(progress: Progress) -> tuple[np.ndarray, np.ndarray, tuple[Bead, ...]]:
    """Return a focus sweep of full frames, with noise: what a Z-LUT is built from.

    Parameters
    ----------
    progress : callable
        Called with how many of how many steps are done.

    Returns
    -------
    stack : ndarray
        ``(z, y, x)`` uint8, one frame per height.
    z_nm : ndarray
        ``(z,)`` heights of all beads above the focal plane, nm.
    beads : tuple of Bead
        ROIs around the beads.
    """
    from napari_beadscope.devices.simulated import SimulatedMicroscope

    total = 1 + len(PLANES_NM)
    progress(0, total)
    microscope = SimulatedMicroscope(_SWEEP)
    rest_nm = float(microscope.truth([0])[0, 0, 2])
    stack = np.empty((len(PLANES_NM), *microscope.format.shape), microscope.format.dtype)
    for number, z_nm in enumerate(PLANES_NM):
        microscope.render(number, (rest_nm - z_nm) / 1000.0, out=stack[number])
        progress(number + 1, total)
    progress(total, total)
    return stack, PLANES_NM.copy(), _beads(microscope)


def _beads(microscope: Any) -> tuple[Bead, ...]:
    """Return an ROI around each bead that is far enough from the edge, numbered from 0."""
    shape = microscope.format.shape
    rois = [Roi.around(y, x, ROI_PX) for x, y in microscope.bead_positions_px()]
    return tuple(Bead(k, roi) for k, roi in enumerate(roi for roi in rois if roi.inside(shape)))


def _manifest(microscope: Any, beads: tuple[Bead, ...], zlut: Path, name: str) -> Any:
    from napari_beadscope.storage import Manifest

    manifest = Manifest.new(
        mode=AcquisitionMode.TRACK_FULL,
        format=microscope.format,
        beads=beads,
        calibration=Calibration(microscope.options.nm_per_px, str(zlut)),
        fps=PULL_FPS,
        camera_id="simulated",
        backend="cpu",
        method="precise",
        name=name,
    )
    manifest.camera.options = dict(_PULL)
    rest, near = (100 / PULL_FPS, 500 / PULL_FPS)
    manifest.notes.append(f"magnet at 0 mm for {rest:g} s, then to 8 mm until {near:g} s")
    return manifest


def _rows(video: np.ndarray, frames: np.ndarray, beads: tuple[Bead, ...], zlut: Any) -> np.ndarray:
    """Return the track rows of a few frames, frame by frame."""
    from napari_beadscope.tracking import track_stack

    rows = np.zeros((len(frames), len(beads)), TRACK_ROW)
    rows["frame"], rows["time_ns"] = frames[:, None], _time_ns(frames)[:, None]
    for column, bead in enumerate(beads):
        found = track_stack(np.ascontiguousarray(bead.roi.crop(video)), zlut)
        one = rows[:, column]
        one["bead"] = bead.bead
        one["x_px"], one["y_px"] = found.x_px + bead.roi.x0, found.y_px + bead.roi.y0
        one["z_nm"], one["quality"], one["reason"] = found.z_nm, found.quality, found.reason
    return rows.ravel()


def _time_ns(frames: Any) -> Any:
    times = np.rint(np.asarray(frames) * (1e9 / PULL_FPS)).astype(np.int64)
    return times if times.ndim else int(times)
