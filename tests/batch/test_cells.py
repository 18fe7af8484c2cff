"""Cells in arrays: found, parted, corrected, aligned, measured, against a known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.batch.cells import (
    SegmentOptions,
    drift_of_frames,
    fit_background,
    measure_cells,
    segment_cells,
    shift_between,
)
from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.cell_scores import best
from napari_beadscope.testing.cells import DARK, FLUORESCENCE, PHASE, SyntheticCells

SIZES = {(64, 64): 1, (96, 130): 3, (300, 220): 8, (512, 512): 24}


def scene(size: tuple[int, int], frames: int = 9) -> SyntheticCells:
    cells = SIZES[size]
    return SyntheticCells(frames=frames, size_px=size, cells=cells, divisions=cells // 4, seed=5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_cells_are_found_with_their_outlines(size: tuple[int, int]) -> None:
    movie = scene(size)
    every: list[float] = []
    for frame in range(0, 9, 3):
        found = segment_cells(movie.image(PHASE, frame))
        every += best(movie.labels(frame), found).tolist()
        assert len(np.unique(found)) - 1 == found.max()
    assert np.mean(every) >= 0.9
    assert np.mean(np.array(every) >= 0.5) >= 0.98


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_cells_are_found_whatever_the_type_of_pixels(kind: str) -> None:
    movie = scene((300, 220))
    image = movie.image(PHASE, 4)
    converted = (image / 48).astype(kind) if kind == "uint8" else image.astype(kind)
    assert np.mean(best(movie.labels(4), segment_cells(converted))) >= 0.88


def test_uneven_light_is_no_cell_and_an_empty_field_is_empty() -> None:
    empty = SyntheticCells(frames=1, size_px=(256, 256), cells=0, unevenness=0.5)
    assert segment_cells(empty.image(PHASE, 0)).max() == 0
    assert segment_cells(np.full((64, 64), 700, np.uint16)).max() == 0
    assert segment_cells(np.full((64, 64), 7.5), SegmentOptions(method="otsu")).max() == 0


def discs(*places: tuple[int, int], size: int = 128, radius: int = 14) -> np.ndarray:
    """Return an image that varies in discs only, nearly flat elsewhere."""
    y, x = np.mgrid[:size, :size]
    inside = np.zeros((size, size), bool)
    for cy, cx in places:
        inside |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
    rng = np.random.default_rng(2)
    return (1000 + rng.normal(0, np.where(inside, 60, 2))).astype(np.uint16)


def test_cells_that_touch_are_parted_if_wanted() -> None:
    image = discs((50, 40), (50, 66), (90, 90))
    assert segment_cells(image).max() == 3
    assert segment_cells(image, SegmentOptions(neck=0)).max() == 2


def test_small_ones_holes_and_cells_at_the_edge() -> None:
    image = discs((3, 60), (64, 64))
    image[64 - 2 : 64 + 3, 64 - 2 : 64 + 3] = 1000
    labels = segment_cells(image)
    assert labels.max() == 2
    assert labels[64, 64] == 2, "the hole is filled"
    assert segment_cells(image, SegmentOptions(drop_edge=True)).max() == 1
    assert segment_cells(image, SegmentOptions(smallest_px2=500)).max() == 1


def test_bright_cells_are_found_by_otsu() -> None:
    movie = SyntheticCells(frames=8, size_px=(256, 256), cells=9, unevenness=0.1, seed=3)
    found = segment_cells(movie.image(FLUORESCENCE, 7), SegmentOptions(method="otsu"))
    assert found.max() == 9
    assert best(movie.labels(7), found).min() >= 0.5, "the dim rim is missing"
    lower = segment_cells(
        movie.image(FLUORESCENCE, 7), SegmentOptions(method="otsu", otsu_factor=0.65)
    )
    assert np.mean(best(movie.labels(7), lower)) >= 0.75


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_corrected_intensities_are_the_true_ones(size: tuple[int, int]) -> None:
    movie = scene(size)
    off: list[float] = []
    for frame in (2, 5, 8):
        image, labels = movie.image(FLUORESCENCE, frame), movie.labels(frame)
        fit = fit_background(image, labels)
        corrected = fit.corrected(image, dark=DARK)
        count = int(labels.max()) + 1
        got = np.bincount(labels.ravel(), corrected.ravel(), count)[1:]
        true = np.bincount(labels.ravel(), movie.fluorescence(frame).ravel(), count)[1:]
        off += (got / true - 1).tolist()
    assert np.abs(np.mean(off)) < 0.015
    assert np.quantile(np.abs(off), 0.95) < 0.02


def test_a_flat_field_does_what_the_background_does() -> None:
    movie = scene((300, 220))
    image, labels = movie.image(FLUORESCENCE, 5), movie.labels(5)
    fit = fit_background(image, labels)
    given = fit.corrected(image, mode="divide", flat=movie.light[FLUORESCENCE])
    own = fit.corrected(image, mode="divide", dark=DARK)
    inside = labels > 0
    assert given[inside].sum() == pytest.approx(own[inside].sum(), rel=0.01)
    raw = fit.corrected(image, mode="subtract")
    ratio = raw[inside] / given[inside].clip(20)
    assert np.ptp(np.quantile(ratio, [0.1, 0.9])) > 0.05, "uneven light stays without division"


def test_a_wrong_offset_is_told() -> None:
    movie = scene((96, 130))
    image = movie.image(FLUORESCENCE, 2)
    fit = fit_background(image, movie.labels(2))
    with pytest.raises(InputError, match="offset as dark"):
        fit.corrected(image, dark=float(image.min()) + 50)
    with pytest.raises(InputError, match="tighter mask"):
        fit_background(image, np.ones(image.shape, int))


def test_the_stage_is_followed() -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.fft2(rng.normal(size=(120, 200)))
    ky, kx = np.fft.fftfreq(120)[:, None], np.fft.fftfreq(200)[None]
    spectrum *= np.exp(-((ky**2 + kx**2) / 0.02))

    def moved(dy: float, dx: float) -> np.ndarray:
        return np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (ky * dy + kx * dx))).real

    for step in ((0.0, 0.0), (0.4, -0.7), (-12.3, 25.6)):
        assert shift_between(moved(0, 0), moved(*step)) == pytest.approx(step, abs=0.1)
    way = [(0.0, 0.0), (1.5, 0.5), (-3.0, 4.0)]
    assert drift_of_frames(moved(*at) for at in way) == pytest.approx(np.array(way), abs=0.15)
    assert shift_between(np.ones((64, 64)), np.ones((64, 64))) == (0, 0)


def test_shapes_are_measured() -> None:
    y, x = np.mgrid[:200, :200]
    labels = np.zeros((200, 200), int)
    labels[((x - 60) / 30) ** 2 + ((y - 50) / 15) ** 2 <= 1] = 1
    labels[(x - 180) ** 2 + (y - 150) ** 2 <= 20**2] = 7
    found = measure_cells(labels, features=["area", "shape", "border"])
    assert found["label"].tolist() == [1, 7]
    assert found["major_px"][0] == pytest.approx(60, rel=0.02)
    assert found["minor_px"][0] == pytest.approx(30, rel=0.02)
    assert found["angle_deg"][0] == pytest.approx(0, abs=1)
    assert found["circularity"][1] == pytest.approx(1, abs=0.07)
    assert found["at_edge"].tolist() == [0, 1]
    assert found["area_px"][0] == pytest.approx(np.pi * 30 * 15, rel=0.02)


def test_brightness_is_measured_in_every_channel() -> None:
    rng = np.random.default_rng(4)
    labels = np.zeros((64, 80), int)
    labels[5:20, 5:30], labels[30:50, 40:70] = 1, 2
    images = {1: rng.normal(50, 5, labels.shape), 3: rng.normal(9, 1, labels.shape)}
    below = {1: np.full(labels.shape, 100.0)}
    found = measure_cells(labels, images, below, features=["intensity", "variation"])
    for channel, image in images.items():
        inside = image[labels == 2]
        assert found[f"intensity_total_c{channel}"][1] == pytest.approx(inside.sum(), rel=1e-5)
        assert found[f"intensity_mean_c{channel}"][1] == pytest.approx(inside.mean(), rel=1e-5)
        assert found[f"intensity_sd_c{channel}"][1] == pytest.approx(inside.std(), rel=1e-3)
        assert found[f"intensity_max_c{channel}"][1] == pytest.approx(inside.max(), rel=1e-5)
    assert found["background_c1"].tolist() == [100, 100]
    assert np.isnan(found["background_c3"]).all()


def test_a_feature_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        "def box(frame):\n    s = frame.sums[frame.used]\n"
        "    return {'height_px': s[:, 7] - s[:, 6]}\n"
        "def broken(frame):\n    return {'nothing': [1, 2, 3, 4]}\n"
    )
    labels = np.zeros((64, 64), int)
    labels[5:20, 5:30] = 1
    assert measure_cells(labels, features=[f"{own}:box"])["height_px"].tolist() == [15]
    with pytest.raises(InputError, match="one value for each of the 1 cells"):
        measure_cells(labels, features=[f"{own}:broken"])
    with pytest.raises(InputError, match="no function 'absent'"):
        measure_cells(labels, features=[f"{own}:absent"])
    with pytest.raises(InputError, match=r"there are area, intensity.*my_file\.py:function"):
        measure_cells(labels, features=["colour"])


def test_the_feature_in_the_docs_works(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "explanations" / "batch-cells.md"
    code = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    (tmp_path / "grain.py").write_text(code)
    labels = np.zeros((64, 64), int)
    labels[5:40, 5:40] = 1
    image = np.random.default_rng(0).normal(100, 20, (64, 64))
    found = measure_cells(labels, {1: image}, features=[f"{tmp_path / 'grain.py'}:granularity"])
    assert found["granularity"][0] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((63, 80)), "at least 64 px"),
        (np.zeros((3, 64, 64)), "shape"),
        (np.full((64, 64), np.nan), "NaN"),
        (np.zeros((64, 64), complex), "complex"),
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        segment_cells(image)


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in ({"method": "magic"}, {"window_px": 4}, {"open_px": 40}, {"neck": 1.0}):
        with pytest.raises(InputError, match="cells cannot be segmented"):
            SegmentOptions(**wrong)
