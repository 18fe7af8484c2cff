"""Speed of the GPU backend on this machine, beside magtrack on CuPy and the CPU in the same run.

    python benchmarks/gpu.py [--sizes 32 50 64 100 128] [--beads 1 10 100 500 5000 50000]

ROIs per second of wall time, x, y and z of uint8 ROIs, medians of calls that take turns. The bound
is what the bus allows: the rate at which the ROIs' bytes are copied from pinned memory to the
device in this run. Largest difference of rows from the CPU's in the last columns.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from napari_beadscope.testing.backends import rings
from napari_beadscope.testing.gpu import zlut_of
from napari_beadscope.tracking import Backend, ZLut, open_backend
from napari_beadscope.tracking.gpu import GpuBackend
from napari_beadscope.tracking.gpu_memory import CupyDevice, why_not

METHODS = ("precise", "magtrack-compatible")


def bus_bytes_per_s(size: int = 64 << 20) -> float:
    """Return how fast pinned memory is copied to the device."""
    device = CupyDevice()
    stream = device.stream()
    host, there = device.pinned((size,), np.uint8), device.buffer((size,), np.uint8)
    took = []
    for _ in range(12):
        start = time.perf_counter()
        device.copy_in(there, host, size, stream)
        device.wait(stream)
        took.append(time.perf_counter() - start)
    return size / float(np.median(took[2:]))


def sample(n: int, size_px: int) -> np.ndarray:
    """Return `n` noisy ROIs; at most 2000 of them differ."""
    rng = np.random.default_rng(size_px)
    few = min(n, 2000)
    x, y = rng.uniform(-2, 2, (2, few)) + size_px // 2
    stack = rings(x, y, rng.uniform(-800, 800, few), size_px)
    stack += rng.normal(0, 2, stack.shape)
    return np.resize(np.rint(stack).astype(np.uint8), (n, size_px, size_px))


def rates(backends: list[Backend], stack: np.ndarray, lut: ZLut, seconds: float) -> list[float]:
    """Return ROIs per second of each; they take turns."""
    took: list[list[float]] = [[] for _ in backends]
    for backend in backends:
        backend.warm_up(stack.shape[1], "uint8", lut)
    end = time.perf_counter() + seconds * len(backends)
    while time.perf_counter() < end or len(took[0]) < 5:
        for times, backend in zip(took, backends, strict=True):
            start = time.perf_counter()
            backend.track(stack, lut)
            times.append(time.perf_counter() - start)
    return [len(stack) / float(np.median(times)) for times in took]


def main() -> None:
    """Measure and write a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 50, 64, 100, 128])
    parser.add_argument("--beads", type=int, nargs="+", default=[1, 10, 100, 500, 5000, 50_000])
    parser.add_argument("--seconds", type=float, default=1.0, help="per backend and row")
    options = parser.parse_args()
    if why_not():
        sys.exit(f"gpu.py: {why_not()}")
    bus = bus_bytes_per_s()
    sys.stdout.write(f"bus: {bus / 1e9:.2f} GB/s from pinned memory\n")
    for method in METHODS:
        names = ["cpu"] + ["magtrack-gpu"] * (method == "magtrack-compatible")
        others = [open_backend(name, method=method) for name in names]
        gpu: Backend = GpuBackend(method)
        for size_px in options.sizes:
            lut = zlut_of(size_px)
            for n in options.beads:
                stack = sample(n, size_px)
                found = rates([gpu, *others], stack, lut, options.seconds)
                one, two = gpu.track(stack, lut), others[0].track(stack, lut)
                apart = np.nanmax(np.abs([one.x_px - two.x_px, one.y_px - two.y_px]))
                beside = "".join(
                    f"{name:>14} {rate:>9.0f} ({found[0] / rate:>6.1f} ×)"
                    for name, rate in zip(names, found[1:], strict=True)
                )
                sys.stdout.write(
                    f"{method:<20}{size_px:>4} px {n:>6} ROIs  gpu {found[0]:>9.0f} ROI/s "
                    f"{found[0] * size_px**2 / bus:>6.1%} of the bound {beside}"
                    f"   xy ≤ {apart:.1e} px, z ≤ {np.nanmax(np.abs(one.z_nm - two.z_nm)):.1e} nm\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
