"""Speed and accuracy of every tracking backend that can run here, beside magtrack in the same run.

    python benchmarks/track.py [--sizes 32 64 100] [--beads 1 10 50 200] [--seconds 0.5] [--json]

Speed: ROIs per second of CPU time, x, y and z of uint8 ROIs, median over repeated calls that take
turns. Accuracy: root mean square error against the truth of simulated beads (magtrack's simulator
of wave optics, 10,000 photons per px, centres within ± 3 px, heights within ± 3 µm, Z-LUT pitch
50 nm).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings

import numpy as np

from napari_beadscope.core.types import Reason
from napari_beadscope.tracking import Backend, ZLut, build_zlut, list_backends, open_backend

NM_PER_PX = 100.0
FULL_SCALE = 220  # grey value of the brightest pixel


def simulate(xyz_nm: np.ndarray, size_px: int, photons: float | None) -> np.ndarray:
    """Return beads (n, y, x) at `xyz_nm` (n, 3), with shot noise if `photons` are given."""
    with warnings.catch_warnings(), np.errstate():
        warnings.simplefilter("ignore")
        from magtrack.simulation import simulate_beads

    # Rendered on a field wide enough that the sides do not wrap around.
    wide = 2 * size_px
    images = simulate_beads(xyz_nm, nm_per_px=NM_PER_PX, size_px=wide).transpose(2, 0, 1)
    low = wide // 2 - size_px // 2
    images = images[:, low : low + size_px, low : low + size_px]
    if photons is None:
        return images * FULL_SCALE
    noisy = np.random.default_rng(0).poisson(images * photons) / photons
    return np.clip(np.rint(noisy * FULL_SCALE), 0, 255).astype(np.uint8)


def sample(n: int, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` noisy ROIs and their truth (n, 3): x px, y px, z nm."""
    rng = np.random.default_rng(size_px)
    xyz = np.column_stack([rng.uniform(-300, 300, (n, 2)), rng.uniform(-3000, 3000, n)])
    truth = xyz / (NM_PER_PX, NM_PER_PX, 1) + (size_px // 2, size_px // 2, 0)
    return simulate(xyz, size_px, 10_000), truth


def sweep(size_px: int) -> ZLut:
    """Return the Z-LUT of the simulated bead, ± 4 µm."""
    z = np.arange(-4000.0, 4001.0, 50.0)
    xyz = np.column_stack([np.zeros((len(z), 2)), z])
    return build_zlut(simulate(xyz, size_px, None), z, "magtrack")


def speed(backends: list[Backend], stack: np.ndarray, lut: ZLut, seconds: float) -> list[float]:
    """Return ROIs per CPU second of each backend; they take turns, so load hits all alike."""
    took: list[list[float]] = [[] for _ in backends]
    end = time.perf_counter() + seconds * len(backends)
    while time.perf_counter() < end or len(took[0]) < 3:
        for times, backend in zip(took, backends, strict=True):
            repeats = 1 if backend.name.startswith("magtrack") else max(1, 200 // len(stack))
            start = time.process_time()
            for _ in range(repeats):
                backend.track(stack, lut)
            times.append((time.process_time() - start) / repeats)
    return [len(stack) / float(np.median(times)) for times in took]


def accuracy(backend: Backend, stack: np.ndarray, truth: np.ndarray, lut: ZLut) -> dict[str, float]:
    """Return RMSE in px and nm over the trusted rows, and their share."""
    result = backend.track(stack, lut)
    ok = result.reason == Reason.OK
    error = np.column_stack([result.x_px, result.y_px, result.z_nm])[ok] - truth[ok]
    x, y, z = np.sqrt(np.mean(error**2, axis=0))
    return {
        "x_rmse_px": round(float(x), 4),
        "y_rmse_px": round(float(y), 4),
        "z_rmse_nm": round(float(z), 1),
        "trusted": round(float(ok.mean()), 3),
    }


def main() -> None:
    """Measure and write a table, or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 100])
    parser.add_argument("--beads", type=int, nargs="+", default=[1, 10, 50, 200])
    parser.add_argument("--seconds", type=float, default=0.5, help="per backend and row")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    method = "magtrack-compatible"
    backends = [open_backend(b.name, method=method) for b in list_backends() if b.available]
    magtrack = [backend.name for backend in backends].index("magtrack")
    for size_px in options.sizes:
        lut = sweep(size_px)
        stack, truth = sample(max(options.beads), size_px)
        found = [accuracy(backend, stack, truth, lut) for backend in backends]
        for n in options.beads:
            rates = speed(backends, stack[:n], lut, options.seconds)
            for backend, rate, errors in zip(backends, rates, found, strict=True):
                row = {
                    "size_px": size_px,
                    "beads": n,
                    "backend": backend.name,
                    "rois_per_cpu_s": round(rate),
                    "ratio": round(rate / rates[magtrack], 1),
                    **errors,
                }
                sys.stdout.write(json.dumps(row) + "\n" if options.json else line(row))
                sys.stdout.flush()


def line(row: dict[str, object]) -> str:
    """Return one row of the table for people."""
    return (
        "{size_px:>4} px {beads:>4} beads  {backend:<13}{rois_per_cpu_s:>8} ROI/s {ratio:>6} ×"
        "   x {x_rmse_px} px  y {y_rmse_px} px  z {z_rmse_nm} nm  trusted {trusted}\n".format(**row)
    )


if __name__ == "__main__":
    main()
