"""The GPU backend without a GPU: kernels simulated and compiled, host code on a stand-in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import METHODS
from napari_beadscope.testing.gpu import CASES, HostDevice
from napari_beadscope.tracking import Backend, TrackResult, ZLut, gpu_memory, gpu_plan
from napari_beadscope.tracking.gpu import GpuBackend

FIELDS = tuple(field.name for field in fields(TrackResult))
#: How far rows of the two may be apart: they differ in precision, and in the order of sums.
CLOSE = {
    "x_px": 2e-5,
    "y_px": 2e-5,
    "z_nm": 5e-3,
    "quality": 1e-4,
    "sigma_x_px": 1e-4,
    "sigma_y_px": 1e-4,
    "sigma_z_nm": 1e-2,
    "reason": 0,
}


@pytest.fixture(scope="module", params=METHODS)
def simulated(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Any:
    """Rows of all cases by both backends, from a process in which the simulator is on."""
    out = tmp_path_factory.mktemp("rows") / "rows.npz"
    subprocess.run(
        [sys.executable, "-m", "napari_beadscope.testing.gpu", request.param, str(out)],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        check=True,
        timeout=280,
    )
    with np.load(out) as rows:
        return dict(rows)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_block_of_threads_gives_the_rows_of_one_core(simulated: Any, case: Any) -> None:
    for name in FIELDS:
        gpu = simulated[f"{case.name}/gpu/{name}"]
        cpu = simulated[f"{case.name}/cpu/{name}"]
        span = 1.0 if name != "profiles" else np.ptp(np.nan_to_num(cpu)) or 1.0
        atol = CLOSE.get(name, 1e-5 * span)
        np.testing.assert_allclose(gpu, cpu, rtol=1e-6, atol=atol, err_msg=f"{case.name}: {name}")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_threads_that_start_in_another_order_give_the_same_positions(simulated: Any) -> None:
    again = [key for key in simulated if "/again/" in key]
    assert len(again) == 3 * len(FIELDS)
    for key in again:
        first = simulated[key.replace("/again/", "/gpu/")]
        np.testing.assert_allclose(simulated[key], first, rtol=1e-6, atol=2e-6, err_msg=key)


def assembled(code: str, capability: tuple[int, int], folder: Path) -> str:
    """Make machine code of PTX as the driver does, and return what the assembler says of it."""
    import nvidia.cuda_nvcc

    (folder / "kernel.ptx").write_text(code)
    run = subprocess.run(
        [
            str(Path(nvidia.cuda_nvcc.__path__[0]) / "bin" / "ptxas"),
            "-v",
            f"-arch=sm_{capability[0]}{capability[1]}",
            "kernel.ptx",
            "-o",
            "kernel.cubin",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


if sys.platform != "darwin":  # NVIDIA's compiler exists for Linux and Windows

    @pytest.mark.slow
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("dtype", "capability"), [("uint8", (7, 5)), ("float64", (9, 0))])
    def test_kernels_compile_for_real_devices(
        method: str,
        dtype: str,
        capability: tuple[int, int],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        import numba.cuda.dispatcher
        from numba import cuda
        from numba.cuda import types

        here = SimpleNamespace(compute_capability=capability)
        monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", lambda: here)
        gpu_plan._kernel.cache_clear()
        plan = gpu_plan.plan(method, 64, np.dtype(dtype), None)
        gpu_plan._kernel.cache_clear()

        def array(kind: str, ndim: int) -> Any:
            return types.Array(getattr(types, kind), ndim, "C")

        floats = () if plan.whole else (array("float32", 2), array("int32", 2))
        tables = tuple(array("float32", table.ndim) for table in plan.tables)
        out = (array("float64", 2), array("float32", 2), array("float32", 2))
        whole = types.int64
        signature = (array(dtype, 2), *floats, whole, whole, *tables, *out, whole, whole)
        code, _ = cuda.compile_ptx(plan.kernel.py_func, signature, device=False, cc=capability)
        assert f".target sm_{capability[0]}{capability[1]}" in code
        doubles = re.findall(r"\b(?:add|sub|mul|fma|div|sqrt|min|max)\.(?:\w+\.)*f64", code)
        assert len(doubles) < (100 if plan.whole else 400)  # gaming cards are slow at them
        said = assembled(code, capability, tmp_path)
        assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in said
        registers = int(re.findall(r"Used (\d+) registers", said)[0])
        assert 128 * registers < 2**15  # two blocks of 128 threads fit into the smallest devices


class Means:
    """A kernel that is quick to run on a host: x is the mean of the ROI's pixels."""

    def __call__(self, blocks: int, threads: int, shared: int, *arguments: Any) -> None:
        stack = arguments[0]
        rows, profiles = arguments[-5], arguments[-4]
        assert threads % 32 == 0
        assert shared >= 4 * arguments[-1]
        rows[:blocks] = 0
        rows[:blocks, 0] = stack[:blocks].mean(axis=1)
        profiles[:blocks] = stack[:blocks, :1]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> HostDevice:
    monkeypatch.setattr(gpu_plan, "_kernel", lambda method, whole: Means())
    return HostDevice()


def stack_of(n: int, size_px: int = 16, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (n, size_px, size_px)).astype(dtype)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 100, 101])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_every_row_comes_back_in_its_place(host: HostDevice, n: int, dtype: str) -> None:
    itemsize = np.dtype(dtype).itemsize
    backend = GpuBackend(device=host, piece_bytes=3 * 16 * 16 * itemsize)
    stack = stack_of(n, dtype=dtype)
    result = backend.track(stack, None)
    np.testing.assert_allclose(result.x_px, stack.mean(axis=(1, 2)))
    np.testing.assert_array_equal(result.profiles[:, 0], stack[:, 0, 0].astype(np.float32))
    assert len(result) == n


def test_copies_overlap_with_kernels(host: HostDevice) -> None:
    backend = GpuBackend(device=host, piece_bytes=2 * 16 * 16)
    backend.warm_up(16, "uint8", None)
    host.log.clear()
    backend.track(stack_of(8), None)
    piece = ["in", "kernel", "out", "out"]
    # Two pieces are under way before anybody waits; from then on one is, while the next is sent.
    assert host.log == piece * 2 + ["wait", *piece] * 2 + ["wait"] * 2


def test_nothing_is_allocated_per_batch(host: HostDevice) -> None:
    backend = GpuBackend(device=host)
    backend.warm_up(32, "uint16", None)
    made = len(host.made)
    for n in (1, 1000, 10_000, 3):
        backend.track(stack_of(n, 32, "uint16"), None)
    assert len(host.made) == made


def test_tables_go_over_the_bus_once_per_zlut(host: HostDevice) -> None:
    rng = np.random.default_rng(0)
    luts = [ZLut(np.arange(20.0), rng.uniform(0, 255, (20, 16))) for _ in range(2)]
    backend = GpuBackend(device=host)
    for lut in luts:
        backend.track(stack_of(2, 32), lut)
    made = len(host.made)
    host.log.clear()
    for lut in luts * 2:
        backend.track(stack_of(2, 32), lut)
    assert len(host.made) == made
    assert host.log.count("in") == 4  # the pixels


def test_kinds_of_batches_that_are_no_longer_used_are_let_go(host: HostDevice) -> None:
    backend = GpuBackend(device=host)
    for size_px in range(16, 32):
        backend.track(stack_of(1, size_px), None)
    assert len(backend._kinds) == 4


def test_the_stack_may_change_as_soon_as_track_returns(host: HostDevice) -> None:
    backend = GpuBackend(device=host, piece_bytes=16 * 16)
    stack = stack_of(5)
    result = backend.track(stack, None)
    kept = result.x_px.copy()
    stack[:] = 0
    backend.track(stack, None)
    np.testing.assert_array_equal(result.x_px, kept)


def test_threads_take_turns(host: HostDevice) -> None:
    backend: Backend = GpuBackend(device=host, piece_bytes=2 * 16 * 16)
    stacks = [stack_of(20, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda stack: backend.track(stack, None), stacks))
    for stack, result in zip(stacks, results, strict=True):
        np.testing.assert_allclose(result.x_px, stack.mean(axis=(1, 2)))


def test_after_a_failure_nothing_of_the_batch_is_left(
    host: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = GpuBackend(device=host, piece_bytes=2 * 16 * 16)
    good = backend.track(stack_of(9), None)
    sound = host.launch

    def fail(*arguments: Any) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(host, "launch", fail)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        backend.track(stack_of(9, seed=1), None)
    assert not any(host.streams)  # no copy is under way any more
    monkeypatch.setattr(host, "launch", sound)
    np.testing.assert_array_equal(backend.track(stack_of(9), None).x_px, good.x_px)


def test_what_does_not_fit_into_a_block_is_refused(
    host: HostDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in METHODS:
        GpuBackend(method, device=host).track(stack_of(1, 256), None)  # the largest ROIs fit
    monkeypatch.setattr(gpu_plan, "_SHARED_BYTES", 4096)
    with pytest.raises(InputError, match=r"shared memory.*smaller ROIs or the backend cpu"):
        GpuBackend(device=host).track(stack_of(1, 64), None)


class DriverError(RuntimeError):
    """As CuPy's CUDARuntimeError."""


def cupy_of(count: int | Exception) -> Any:
    def devices() -> int:
        if isinstance(count, Exception):
            raise count
        return count

    return SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=devices)))


def test_why_not_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: set[str] = set()
    monkeypatch.setattr(gpu_memory, "find_spec", lambda name: name in installed)
    assert gpu_memory.why_not() == 'CuPy is not installed: pip install "napari-beadscope[gpu]"'
    installed.add("cupy")
    assert gpu_memory.why_not().startswith("numba-cuda is not installed: pip install")
    installed.add("numba_cuda")
    old = DriverError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    monkeypatch.setitem(sys.modules, "cupy", cupy_of(old))
    assert gpu_memory.why_not() == (
        "there is no NVIDIA driver, or it is too old for this CuPy (cudaErrorInsufficientDriver)"
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy_of(0))
    assert gpu_memory.why_not() == "the NVIDIA driver finds no CUDA device"
    monkeypatch.setitem(sys.modules, "cupy", None)  # broken: it cannot be imported
    assert gpu_memory.why_not().startswith("CuPy cannot be loaded")
    monkeypatch.setitem(sys.modules, "cupy", cupy_of(1))
    assert gpu_memory.why_not() == ""
