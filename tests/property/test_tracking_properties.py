"""What holds for every method of tracking, whatever the ROI: symmetries and independence."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Reason
from napari_beadscope.testing.scenes import not_beads, ring_beads, ring_zlut
from napari_beadscope.tracking import METHODS, Backend, TrackResult, ZLut, open_backend, track_stack

FIELDS = [field.name for field in fields(TrackResult)]
SIZES = st.integers(24, 60)  # of ROIs, odd and even; both ends are tested besides
#: How far answers may differ where pixels differ: px, nm.
SHIFT_PX = {"precise": 0.01, "magtrack-compatible": 0.06}
SHIFT_NM = {"precise": 3.0, "magtrack-compatible": 40.0}
#: The smallest ROIs hold one ring only.
COARSE_NM = {"precise": 10.0, "magtrack-compatible": 120.0}

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def backend(method: str) -> Backend:
    return open_backend("cpu", method=method)


@cache
def lut(size_px: int) -> ZLut:
    return ring_zlut(size_px)


def noisy(n: int, size_px: int, seed: int, reach_px: float = 2.0) -> np.ndarray:
    """Ring beads about the middle, uint8, with noise of 1.5 counts."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-reach_px, reach_px, (2, n)) + (size_px - 1) / 2
    clean = ring_beads(x, y, rng.uniform(-1200, 1200, n), size_px)
    return np.rint(clean + rng.normal(0, 1.5, clean.shape)).clip(1, 254).astype(np.uint8)


def mixed(size_px: int, seed: int) -> np.ndarray:
    """A batch as it comes: good beads, and in between some that are not."""
    bad = [scene[0] for scene in not_beads(size_px, 1, seed).values()]
    bad += [np.zeros_like(bad[0]), np.full_like(bad[0], 255)]
    stack = np.concatenate([noisy(8, size_px, seed), bad])
    return stack[np.random.default_rng(seed).permutation(len(stack))]


def assert_same_bytes(one: TrackResult, other: TrackResult) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


def assert_close(one: TrackResult, other: TrackResult, px: float, nm: float) -> None:
    """Fail unless reasons are the same and positions agree, NaN where the other has NaN."""
    np.testing.assert_array_equal(one.reason, other.reason)
    for field, limit in (("x_px", px), ("y_px", px), ("z_nm", nm), ("quality", 1e-4)):
        np.testing.assert_allclose(
            getattr(one, field), getattr(other, field), rtol=0, atol=limit, err_msg=field
        )


@few
@given(
    size_px=SIZES,
    x=st.floats(-1.5, 1.5),
    y=st.floats(-1.5, 1.5),
    z=st.floats(-1200, 1200),
    right=st.integers(-3, 3),
    down=st.integers(-3, 3),
)
def test_a_whole_shift_of_the_field_is_a_whole_shift_of_the_answer(
    method: str, size_px: int, x: float, y: float, z: float, right: int, down: int
) -> None:
    """The ROI moves over a larger field: what leaves on one side, comes in on the other."""
    middle = (size_px - 1) / 2
    field = ring_beads(x + middle + 4, y + middle + 4, z, size_px + 8, size_px)[0]
    corners = [(4, 4), (4 - down, 4 - right)]
    stack = np.stack([field[top : top + size_px, left : left + size_px] for top, left in corners])
    result = backend(method).track(stack, lut(size_px))
    assert (result.reason == Reason.OK).all()
    assert abs(result.x_px[1] - result.x_px[0] - right) < SHIFT_PX[method]
    assert abs(result.y_px[1] - result.y_px[0] - down) < SHIFT_PX[method]
    assert abs(result.z_nm[1] - result.z_nm[0]) < SHIFT_NM[method]


@few
@given(
    size_px=SIZES,
    seed=st.integers(0, 999),
    gain=st.floats(0.01, 200),
    offset=st.floats(-1000, 60_000),
)
def test_gain_and_offset_do_not_matter(
    method: str, size_px: int, seed: int, gain: float, offset: float
) -> None:
    stack = noisy(4, size_px, seed).astype(np.float64)
    plain = backend(method).track(stack, lut(size_px))
    other = backend(method).track(stack * gain + offset, lut(size_px))
    assert_close(other, plain, px=1e-5, nm=1e-2)
    for field in ("sigma_x_px", "sigma_y_px", "sigma_z_nm"):
        np.testing.assert_allclose(getattr(other, field), getattr(plain, field), rtol=1e-2)


@few
@given(size_px=SIZES, seed=st.integers(0, 999))
def test_the_type_of_the_pixels_does_not_matter(method: str, size_px: int, seed: int) -> None:
    stack = noisy(4, size_px, seed)
    plain = backend(method).track(stack, lut(size_px))
    for dtype in (np.uint16, np.float32, np.float64):
        assert_close(backend(method).track(stack.astype(dtype), lut(size_px)), plain, 1e-5, 1e-2)
    for dtype in (np.int16, np.uint32, np.float16, ">u2", ">f8"):
        other = track_stack(stack.astype(dtype), lut(size_px), method=method, backend="cpu")
        assert_close(other, plain, px=1e-5, nm=1e-2)


@few
@given(size_px=SIZES, seed=st.integers(0, 999), data=st.data())
def test_rows_do_not_depend_on_order_batch_or_threads(
    method: str, size_px: int, seed: int, data: st.DataObject
) -> None:
    stack = np.concatenate([mixed(size_px, seed + k) for k in range(3)])
    whole = backend(method).track(stack, lut(size_px))
    order = data.draw(st.permutations(range(len(stack))))
    shuffled = backend(method).track(stack[order], lut(size_px))
    assert_same_bytes(shuffled.part(np.argsort(order)), whole)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stack)), max_size=4)) | {0, len(stack)})
    for low, high in pairwise(cuts):
        part = backend(method).track(stack[low:high], lut(size_px))
        assert_same_bytes(part, whole.part(slice(low, high)))
    several = open_backend("cpu", method=method, threads=data.draw(st.sampled_from([2, 3, 50])))
    assert_same_bytes(several.track(stack, lut(size_px)), whole)
    assert_same_bytes(several.track(stack, None), backend(method).track(stack, None))


IN_ANOTHER_PROCESS = """
import sys
import numpy as np
from dataclasses import fields
from napari_beadscope.testing.scenes import ring_zlut
from napari_beadscope.tracking import METHODS, track_stack

stack = np.load(sys.argv[1])
for method in METHODS:
    result = track_stack(stack, ring_zlut(stack.shape[1]), method=method, backend="cpu")
    rows = {field.name: getattr(result, field.name) for field in fields(result)}
    np.savez(f"{sys.argv[2]}/{method}.npz", **rows)
"""


@pytest.mark.timeout(180)  # kernels may have to be compiled first
def test_rows_do_not_depend_on_the_process(tmp_path: Path) -> None:
    stack = np.concatenate([mixed(41, seed) for seed in range(3)])
    np.save(tmp_path / "stack.npy", stack)
    ours = [backend(method).track(stack, lut(41)) for method in METHODS]
    code = [sys.executable, "-c", IN_ANOTHER_PROCESS, tmp_path / "stack.npy", tmp_path]
    subprocess.run(code, check=True, timeout=150)
    for method, expected in zip(METHODS, ours, strict=True):
        with np.load(tmp_path / f"{method}.npz") as rows:
            theirs = TrackResult(*(rows[field] for field in FIELDS))
        assert_same_bytes(theirs, expected)


@few
@given(size_px=st.one_of(st.integers(-1, 300), st.sampled_from([15, 16, 17, 255, 256, 257])))
def test_any_size_works_or_is_refused_by_name(method: str, size_px: int) -> None:
    size = max(size_px, 0)
    if not 16 <= size <= 256:
        with pytest.raises(InputError, match=f"{size} px.*16 to 256"):
            track_stack(np.zeros((2, size, size), np.uint8), method=method, backend="cpu")
        return
    x, y, z = (size - 1) / 2 - 0.7, (size - 1) / 2 + 0.4, 130.0
    stack = ring_beads(x, y, z, size)
    for given_lut in (None, ring_zlut(size)):
        result = track_stack(stack, given_lut, method=method, backend="cpu")
        assert result.profiles.shape == (1, size // 2)
        assert abs(result.x_px[0] - x) < 0.15
        assert abs(result.y_px[0] - y) < 0.15
        assert result.reason[0] == Reason.OK
    assert abs(result.z_nm[0] - z) < COARSE_NM[method]
    with pytest.raises(InputError, match=f"ROIs of {size} px"):
        track_stack(stack, ring_zlut(size // 2 - 3), method=method, backend="cpu")


@pytest.mark.parametrize("shape", [(2, 32, 33), (32, 32), (1, 2, 32, 32), (32,)])
def test_other_shapes_are_refused(method: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"square|dimensions"):
        track_stack(np.zeros(shape), method=method, backend="cpu")


@few
@given(size_px=SIZES, seed=st.integers(0, 999))
def test_turning_the_image_turns_the_answer(method: str, size_px: int, seed: int) -> None:
    stack = noisy(4, size_px, seed)
    track = backend(method).track
    plain = track(stack, lut(size_px))
    turned = track(stack.transpose(0, 2, 1), lut(size_px))
    np.testing.assert_array_equal(turned.reason, plain.reason)
    np.testing.assert_allclose(turned.x_px, plain.y_px, atol=1e-3)
    np.testing.assert_allclose(turned.y_px, plain.x_px, atol=1e-3)
    np.testing.assert_allclose(turned.z_nm, plain.z_nm, atol=0.5)
    np.testing.assert_allclose(turned.sigma_x_px, plain.sigma_y_px, rtol=1e-2)
    mirrored = track(stack[:, :, ::-1], lut(size_px))
    np.testing.assert_allclose(size_px - 1 - mirrored.x_px, plain.x_px, atol=SHIFT_PX[method])
    np.testing.assert_allclose(mirrored.y_px, plain.y_px, atol=SHIFT_PX[method])
    np.testing.assert_allclose(mirrored.z_nm, plain.z_nm, atol=SHIFT_NM[method])


def layouts(stack: np.ndarray) -> dict[str, np.ndarray]:
    """The same pixels in other places of memory."""
    n, size, _ = stack.shape
    field = np.zeros((n, size + 5, size + 9), stack.dtype)
    field[:, 2:-3, 4:-5] = stack
    spread = np.zeros((2 * n, size, 3 * size), stack.dtype)
    spread[::2, :, ::3] = stack
    frozen = stack.copy()
    frozen.flags.writeable = False
    unaligned = np.zeros(stack.nbytes + 1, np.uint8)[1:].view(stack.dtype).reshape(stack.shape)
    unaligned[...] = stack
    return {
        "cut out": field[:, 2:-3, 4:-5],
        "strided": spread[::2, :, ::3],
        "backwards": np.ascontiguousarray(stack[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        "Fortran order": np.asfortranarray(stack),
        "read-only": frozen,
        "unaligned": unaligned,
        "a list": stack.tolist(),
        "a broadcast view": np.broadcast_to(stack[:1], stack.shape),
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_layout_in_memory_does_not_matter(method: str, dtype: Any) -> None:
    stack = noisy(5, 37, 3).astype(dtype)
    plain = track_stack(stack, lut(37), method=method, backend="cpu")
    assert (plain.reason == Reason.OK).all()
    for what, other in layouts(stack).items():
        before = np.array(other)
        result = track_stack(other, lut(37), method=method, backend="cpu")
        expected = plain.part([0] * 5) if "broadcast" in what else plain
        assert_close(result, expected, px=1e-6, nm=1e-3)
        np.testing.assert_array_equal(other, before, err_msg=what)


def test_an_empty_batch_is_fine(method: str) -> None:
    for given_lut in (None, lut(32)):
        result = track_stack(np.zeros((0, 32, 32), np.uint8), given_lut, method=method)
        assert [len(getattr(result, field)) for field in FIELDS] == [0] * len(FIELDS)
