"""What real recordings can tell of accuracy without a ground truth.

Does the tracker agree with itself when the ROI is moved, and with planes of a real Z-LUT that it
was not shown?

Used by `accuracy.py`. CONTRIBUTING names the recordings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.types import Reason, Roi
from napari_beadscope.tracking import ZLut, find_beads, open_backend
from napari_beadscope.tracking.zlut_formats import from_samples, read_radialzlut

METHODS = ("precise", "magtrack-compatible")
SHIFTS = [(x, y) for x in (-3, -1, 0, 2) for y in (-2, 0, 1, 3)]


def measure(folder: Path) -> dict[str, Any]:
    """Return all figures."""
    import tifffile
    from PIL import Image

    movie = tifffile.imread(folder / "tweezed_bead_real.tif")
    field = np.asarray(Image.open(folder / "mt_field_real.jpg").convert("L"))
    return {
        "tweezed bead, ROI moved by whole pixels": moved(*_of_movie(movie)),
        "field, ROI moved by whole pixels": moved(*_of_field(field)),
        "field, image moved by parts of a pixel": moved_between(field),
        "planes left out of real Z-LUTs": left_out(
            read_radialzlut(folder / "mt_zluts_real.radialzlut")
        ),
    }


def _of_movie(movie: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every 4th frame, and about where its bead is."""
    frames = movie[::4]
    backend = open_backend("cpu", method="magtrack-compatible")
    size = min(movie.shape[1:]) // 2 * 2
    middle = np.ascontiguousarray(frames[:, :size, :size])
    result = backend.track(middle, None)
    found = np.isfinite(result.x_px) & (result.reason == Reason.OK)
    return frames[found], np.column_stack([result.x_px, result.y_px])[found]


def _of_field(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the field once per bead that stands alone, and where."""
    found = find_beads(field)
    alone = np.flatnonzero(np.asarray(found.isolated))
    where = np.column_stack([found.x_px, found.y_px])[alone]
    inside = ((where > 40) & (where < np.array(field.shape[::-1]) - 41)).all(axis=1)
    return np.broadcast_to(field, (int(inside.sum()), *field.shape)), where[inside]


def moved(frames: np.ndarray, where: np.ndarray, size: int = 64) -> dict[str, Any]:
    """Return how much positions of the same bead scatter with where its ROI is cut."""
    inside = [
        all(Roi.around(y + dy, x + dx, size).inside(frames.shape[1:]) for dx, dy in SHIFTS)
        for x, y in where
    ]
    frames, where = frames[inside], where[inside]
    out: dict[str, Any] = {"beads": len(frames), "rois_per_bead": len(SHIFTS)}
    for method in METHODS:
        backend, places, fine = open_backend("cpu", method=method), [], []
        for dx, dy in SHIFTS:
            rois = [Roi.around(y + dy, x + dx, size) for x, y in where]
            stack = np.stack([roi.crop(frame) for roi, frame in zip(rois, frames, strict=True)])
            result = backend.track(stack, None)
            corner = np.array([(roi.x0, roi.y0) for roi in rois])
            places.append(np.column_stack([result.x_px, result.y_px]) + corner)
            fine.append(result.reason == Reason.OK)
        out[method] = _scatter(np.array(places), np.array(fine))
    return out


def _scatter(places: np.ndarray, fine: np.ndarray) -> dict[str, Any]:
    """Return the scatter over the first axis of beads that are fine everywhere."""
    kept = fine.all(axis=0)
    spread = np.std(places[:, kept], axis=0)
    return {
        "kept": int(kept.sum()),
        "median_px": float(np.median(spread)),
        "p95_px": float(np.percentile(spread, 95)),
        "worst_px": float(spread.max()),
    }


def moved_between(field: np.ndarray, size: int = 64) -> dict[str, Any]:
    """Return how far positions are from following an image moved by parts of a pixel.

    It is moved by Fourier transform, which is exact but at the frame's edges.
    """
    _, where = _of_field(field)
    rois = [Roi.around(y, x, size) for x, y in where]
    rois = [roi for roi in rois if roi.inside(field.shape)]
    fy, fx = np.meshgrid(*(np.fft.fftfreq(n) for n in field.shape), indexing="ij")
    spectrum = np.fft.fft2(field.astype(float))
    steps = [(x, y) for x in (0.0, 0.25, 0.5, 0.75) for y in (0.0, 0.5)]
    out: dict[str, Any] = {"beads": len(rois), "shifts": len(steps)}
    for method in METHODS:
        backend, places, fine = open_backend("cpu", method=method), [], []
        for dx, dy in steps:
            image = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (fx * dx + fy * dy))).real
            result = backend.track(np.stack([roi.crop(image) for roi in rois]), None)
            places.append(np.column_stack([result.x_px - dx, result.y_px - dy]))
            fine.append(result.reason == Reason.OK)
        out[method] = _scatter(np.array(places), np.array(fine))
    return out


def left_out(luts: np.ndarray, size: int = 64) -> dict[str, Any]:
    """Return z errors, in planes, on images of the planes between those that make the Z-LUT.

    Images are drawn from the real profiles; the pitch of the planes is not known. A third of
    the planes at each end, where real profiles hardly change, is not looked at.
    """
    from scipy.interpolate import CubicSpline

    planes = np.arange(luts.shape[1], dtype=float)
    rng = np.random.default_rng(0)
    grid = np.arange(size)
    out: dict[str, Any] = {}
    for every in (2, 4, 8):
        errors: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
        lost = dict.fromkeys(METHODS, 0)
        for bead in luts:
            samples = 100 + 10 * bead.astype(float)
            whole = from_samples(samples, planes, 1 / 3)
            kept = ZLut(planes[::every], whole.profiles[::every], whole.radial_step_px)
            shown = np.arange(len(planes) // 3, 2 * len(planes) // 3)
            shown = shown[shown % every == every // 2]
            radius = np.arange(whole.bins) * whole.radial_step_px
            centres = rng.uniform(-0.5, 0.5, (len(shown), 2)) + 31.5
            stack = np.empty((len(shown), size, size))
            for image, plane, (x, y) in zip(stack, shown, centres, strict=True):
                r = np.hypot(grid - x, grid[:, np.newaxis] - y)
                image[...] = CubicSpline(radius, whole.profiles[plane])(np.minimum(r, radius[-1]))
            for method in METHODS:
                result = open_backend("cpu", method=method).track(stack, kept)
                off = result.z_nm - planes[shown]
                lost[method] += int(np.isnan(off).sum())
                errors[method].append(off[np.isfinite(off)])
        out[f"one plane in {every}"] = {
            method: {
                "rms_planes": float(np.sqrt(np.mean(np.concatenate(off) ** 2))),
                "median_planes": float(np.median(np.abs(np.concatenate(off)))),
                "nan": lost[method],
            }
            for method, off in errors.items()
        }
    return out
