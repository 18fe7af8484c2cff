"""Real recordings have no known truth, but the method "precise" must agree with itself on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.interpolate import CubicSpline

from napari_beadscope.core.types import Reason, Roi
from napari_beadscope.tracking import ZLut, find_beads, track_stack
from napari_beadscope.tracking.zlut_formats import from_samples, read_radialzlut

SIZE_PX = 64


@pytest.fixture(scope="module")
def field(data_dir: Path) -> np.ndarray:
    return np.asarray(Image.open(data_dir / "mt_field_real.jpg").convert("L"))


def alone(field: np.ndarray) -> np.ndarray:
    """x, y of beads without neighbours, far from the edge."""
    found = find_beads(field)
    where = np.column_stack([found.x_px, found.y_px])[np.asarray(found.isolated, bool)]
    inside = (where > 40) & (where < np.array(field.shape[::-1]) - 41)
    return where[inside.all(axis=1)]


def test_a_bead_is_where_it_is_wherever_its_roi_is_cut(field: np.ndarray) -> None:
    places = []
    for dx, dy in ((-3, 2), (0, 0), (1, -2), (2, 3)):
        rois = [Roi.around(y + dy, x + dx, SIZE_PX) for x, y in alone(field)]
        result = track_stack(np.stack([roi.crop(field) for roi in rois]))
        corners = np.array([(roi.x0, roi.y0) for roi in rois])
        found = np.column_stack([result.x_px, result.y_px]) + corners
        found[result.reason != Reason.OK] = np.nan
        places.append(found)
    spread = np.std(places, axis=0)
    fine = np.isfinite(spread).all(axis=1)
    assert fine.sum() >= 30
    assert np.median(spread[fine]) < 0.002
    assert spread[fine].max() < 0.03


def test_a_bead_follows_an_image_moved_by_parts_of_a_pixel(field: np.ndarray) -> None:
    fy, fx = np.meshgrid(*(np.fft.fftfreq(n) for n in field.shape), indexing="ij")
    spectrum = np.fft.fft2(field.astype(float))
    rois = [Roi.around(y, x, SIZE_PX) for x, y in alone(field)]
    places = []
    for dx, dy in ((0.0, 0.0), (0.25, 0.5), (0.5, 0.0)):
        moved = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (fx * dx + fy * dy))).real
        result = track_stack(np.stack([roi.crop(moved) for roi in rois]))
        found = np.column_stack([result.x_px - dx, result.y_px - dy])
        found[result.reason != Reason.OK] = np.nan
        places.append(found)
    spread = np.std(places, axis=0)
    fine = np.isfinite(spread).all(axis=1)
    assert fine.sum() >= 30
    assert np.median(spread[fine]) < 0.005
    assert spread[fine].max() < 0.05


def test_planes_left_out_of_a_real_zlut_are_found_between_the_others(data_dir: Path) -> None:
    samples = read_radialzlut(data_dir / "mt_zluts_real.radialzlut")[0]
    planes = np.arange(len(samples), dtype=float)
    whole = from_samples(100 + 10 * samples.astype(float), planes, 1 / 3)
    lut = ZLut(planes[::4], whole.profiles[::4], whole.radial_step_px)
    shown = np.arange(142, 262, 4)
    radius, grid = np.arange(whole.bins) * whole.radial_step_px, np.arange(SIZE_PX)
    r = np.hypot(grid - 31.3, grid[:, np.newaxis] - 31.9)
    stack = [CubicSpline(radius, whole.profiles[k])(np.minimum(r, radius[-1])) for k in shown]
    result = track_stack(np.array(stack), lut)
    off = np.abs(result.z_nm - shown)
    assert np.isfinite(off).all()
    assert np.median(off) < 0.05
    assert off.max() < 0.5
    assert np.abs(result.x_px - 31.3).max() < 0.01
