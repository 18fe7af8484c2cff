"""The GPU backend on the device of this machine: rows of the CPU, reproducible, for every kind."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.types import METHODS
from napari_beadscope.testing.backends import BACKEND_CHECKS, bad_rois, noisy_rings, rings
from napari_beadscope.testing.gpu import zlut_of
from napari_beadscope.tracking import TrackResult, open_backend
from napari_beadscope.tracking.gpu import GpuBackend

CLOSE = {"x_px": 1e-4, "y_px": 1e-4, "z_nm": 0.05, "quality": 1e-3, "reason": 0}


def compare(gpu: TrackResult, cpu: TrackResult) -> None:
    for name, close in CLOSE.items():
        one, other = getattr(gpu, name), getattr(cpu, name)
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=close, err_msg=name)


@pytest.fixture(scope="module", params=METHODS)
def method(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size_px", [16, 33, 50, 64, 100, 128, 256])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_rows_are_the_cpus(method: str, size_px: int, dtype: str) -> None:
    rng = np.random.default_rng(size_px)
    x, y = rng.uniform(-2, 2, (2, 300)) + (size_px - 1) / 2
    stack = rings(x, y, rng.uniform(-800, 800, 300), size_px) + rng.normal(0, 2, (300, 1, 1))
    stack = np.rint(stack).astype(dtype)
    zlut = zlut_of(size_px) if size_px >= 32 else None
    cpu = open_backend("cpu", method=method)
    compare(GpuBackend(method).track(stack, zlut), cpu.track(stack, zlut))


@pytest.mark.timeout(300)
def test_block_size_and_pieces_do_not_matter(method: str) -> None:
    stack, zlut = noisy_rings(500)[0], zlut_of(48)
    cpu = open_backend("cpu", method=method).track(stack, zlut)
    for block in (32, 64, 128, 256):
        compare(GpuBackend(method, block=block).track(stack, zlut), cpu)
    for rois in (1, 7, 64, 10_000):
        compare(GpuBackend(method, piece_bytes=rois * 48 * 48).track(stack, zlut), cpu)


@pytest.mark.timeout(300)
def test_the_same_batch_gives_the_same_rows(method: str) -> None:
    stack, zlut = noisy_rings(2000)[0], zlut_of(48)
    backend = GpuBackend(method)
    first = backend.track(stack, zlut)
    for _ in range(20):
        again = backend.track(stack, zlut)
        for field in fields(TrackResult):
            one, other = getattr(first, field.name), getattr(again, field.name)
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=5e-6, err_msg=field.name)


@pytest.mark.timeout(300)
def test_only_the_roi_matters(method: str) -> None:
    stack, zlut = noisy_rings(40)[0], zlut_of(48)
    backend = GpuBackend(method)
    plain = backend.track(stack, zlut)
    order = np.random.default_rng(3).permutation(len(stack))
    back = np.argsort(order)
    shuffled = backend.track(stack[order], zlut)
    compare(TrackResult(*(getattr(shuffled, f.name)[back] for f in fields(TrackResult))), plain)
    for i in range(len(stack)):
        compare(backend.track(stack[i : i + 1], zlut), plain.part(slice(i, i + 1)))
    for dtype in (np.uint16, np.float32, np.float64):
        compare(backend.track(stack.astype(dtype), zlut), plain)
    compare(backend.track(stack * 3.7 + 411.0, zlut), plain)


@pytest.mark.timeout(300)
def test_bad_rois_have_the_cpus_reasons_and_harm_nobody(method: str) -> None:
    good = noisy_rings(100)[0].astype(np.float64)
    stack = np.concatenate([good, np.stack(list(bad_rois().values())), good])
    zlut = zlut_of(48)
    compare(
        GpuBackend(method).track(stack, zlut), open_backend("cpu", method=method).track(stack, zlut)
    )


#: What asks for more digits than single precision has; `test_only_the_roi_matters` does not.
EXACT = {
    "check_gain_and_offset",
    "check_pixel_types_agree",
    "check_order_and_batch_size",
    "check_threads",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "check",
    [one for one in BACKEND_CHECKS if one.__name__ not in EXACT],
    ids=lambda one: one.__name__,
)
def test_contract(method: str, check: Any) -> None:
    check(GpuBackend(method))


def test_auto_takes_it() -> None:
    backend = open_backend("auto")
    assert (backend.name, backend.device) == ("gpu", "cuda:0")
