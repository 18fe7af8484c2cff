"""The measure that tells one bead from two, half a one, or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.testing.scenes import bead_light, photograph
from napari_beadscope.tracking import find_beads
from napari_beadscope.tracking.evenness import UNEVEN, evenness_scratch, unevenness
from napari_beadscope.tracking.specialise import for_cpu

MIDDLE = 31.5  # of 64 px


@cache
def compiled(real: Any = np.float64) -> Callable[..., float]:
    return for_cpu(unevenness, real=real)  # type: ignore[no-any-return]


def measure(
    image: np.ndarray, x: float, y: float, function: Callable[..., float] | None = None
) -> float:
    size = len(image)
    pixels = np.ascontiguousarray(image, dtype=np.float64).ravel()
    work = np.empty(evenness_scratch(size))
    zero = float(np.median(pixels))
    return float((function or compiled())(pixels, size, x, y, zero, np.inf, work))


@pytest.mark.parametrize("electrons", [100.0, 1000.0, 5000.0])
@pytest.mark.parametrize("size_px", [32, 50, 65, 100])
def test_a_bead_is_even_at_any_height_noise_and_place(size_px: int, electrons: float) -> None:
    rng = np.random.default_rng(size_px)
    x, y = rng.uniform(-size_px / 8, size_px / 8, (2, 60)) + (size_px - 1) / 2
    light = bead_light(x, y, rng.uniform(-3000, 3000, 60), size_px)
    light *= 1 + 0.15 * (np.arange(size_px) / size_px - 0.5)  # uneven light
    images = photograph(light, electrons=electrons)
    found = [measure(*each) for each in zip(images, x, y, strict=True)]
    assert np.percentile(found, 95) < 0.06
    assert max(found) < UNEVEN


def test_between_two_beads_nothing_is_even() -> None:
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, 60)
    for apart in (8.0, 11.0, 15.0):
        dx, dy = np.cos(angle) * apart / 2, np.sin(angle) * apart / 2
        z = rng.uniform(-2500, 2500, 60)
        light = bead_light(MIDDLE - dx, MIDDLE - dy, z, 64)
        light *= bead_light(MIDDLE + dx, MIDDLE + dy, z + rng.normal(0, 150, 60), 64)
        found = [measure(image, MIDDLE, MIDDLE) for image in photograph(light)]
        assert np.percentile(found, 5) > UNEVEN, apart


def test_half_a_bead_is_not_even() -> None:
    z = np.linspace(-2500, 2500, 40)
    light = bead_light(MIDDLE, MIDDLE, z, 64)
    light[:, :, :32] = 1.0
    found = [measure(image, 33.5, MIDDLE) for image in photograph(light)]
    assert np.percentile(found, 10) > UNEVEN


def test_a_real_field(data_dir: Path) -> None:
    """Beads that stand alone are even; where two touch, the middle between them is not."""
    from PIL import Image

    image = np.asarray(Image.open(data_dir / "mt_field_real.jpg").convert("L"), np.float64)
    found = find_beads(image, size_px=64)
    where = np.column_stack([found.x_px, found.y_px])
    alone, between = [], []
    for bead, (x, y) in enumerate(where):
        left, top = int(x) - 40, int(y) - 40
        crop = image[max(top, 0) : top + 80, max(left, 0) : left + 80]
        apart = np.hypot(*(where - (x, y)).T)
        apart[bead] = np.inf
        near = int(apart.argmin())
        if crop.shape == (80, 80) and found.isolated[bead]:
            alone.append(measure(crop, x - left, y - top))
        elif crop.shape == (80, 80) and apart[near] < 24:
            x, y = (where[bead] + where[near]) / 2
            between.append(measure(crop, x - left, y - top))
    assert len(alone) > 40
    assert np.percentile(alone, 90) < UNEVEN
    assert len(between) > 4
    assert np.percentile(between, 20) > UNEVEN


def test_plain_python_and_single_precision_say_the_same() -> None:
    light = bead_light([MIDDLE, 36.0, 45.0], 30.2, [0.0, 900.0, -1500.0], 64)
    light *= bead_light(24.0, 28.0, 200.0, 64)
    for image in photograph(light, dtype="uint16"):
        expected = measure(image, 30.9, 31.3)
        assert measure(image, 30.9, 31.3, unevenness) == pytest.approx(expected, rel=1e-9)
        single = compiled(np.float32)
        work = np.empty(evenness_scratch(64), np.float32)
        pixels = image.ravel().astype(np.float32)
        zero = np.float32(np.median(pixels))
        where = np.float32(30.9), np.float32(31.3)
        found = single(pixels, 64, *where, zero, np.float32(np.inf), work)
        assert float(found) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_nothing_to_see_is_not_even() -> None:
    assert measure(np.full((32, 32), 7.0), 15.5, 15.5) == 1.0
    limited = np.full((32, 32), 255.0).ravel()
    assert compiled()(limited, 32, 15.5, 15.5, 255.0, 255.0, np.empty(evenness_scratch(32))) == 1.0
