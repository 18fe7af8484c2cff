"""How right the trackers are, and why: bias maps, errors beside the bound, capture, honesty.

    python benchmarks/accuracy.py --out DIR [--quick] [--data FOLDER]

Writes pictures and `accuracy.json` to DIR and prints the figures. Beads with exactly known places
come from our own wave optics (`devices.simulated.still`) unless a figure says otherwise; FOLDER has
the real recordings of which CONTRIBUTING tells. About three minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import accuracy_plots as plots
import numpy as np
import real_beads
from centres import CENTRES

from napari_beadscope.cli.bench.contestants import Contestant, Zluts
from napari_beadscope.cli.bench.errors import HALF, errors_of
from napari_beadscope.cli.bench.scenes import (
    Exposure,
    Optics,
    open_optics,
    render,
    scatter,
    sweep,
)
from napari_beadscope.cli.output import plain
from napari_beadscope.core.types import Reason
from napari_beadscope.tracking import open_backend

SIZE_PX = 64
LIGHT = Exposure(10_000, 100.0)
CLEAN_GREY = 50.0  # of noise-free images, as floats: nothing is clipped
OWN, THEIRS = "precise", "magtrack"


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What every measurement needs."""

    optics: Optics
    opened: dict[str, Contestant]
    luts: Zluts  # of a sweep with noise
    clean_luts: Zluts  # of one without
    n: int

    def lut(self, name: str, clean: bool = False) -> Any:
        return (self.clean_luts if clean else self.luts).of(self.opened[name])

    def track(self, name: str, stack: np.ndarray, clean: bool = False) -> Any:
        return self.opened[name].track(stack, self.lut(name, clean))


def prepare(quick: bool) -> Bench:
    optics = open_optics("waves")
    opened = {
        OWN: Contestant(open_backend("cpu", method="precise")),
        THEIRS: Contestant(open_backend("cpu", method="magtrack-compatible")),
    }
    swept = sweep(optics, SIZE_PX)
    noisy = swept.seen_by(LIGHT)
    clean = type(swept)(swept.stack * CLEAN_GREY, swept.z_nm)
    return Bench(optics, opened, Zluts(noisy), Zluts(clean), 100 if quick else 400)


def bias_maps(bench: Bench) -> dict[str, Any]:
    """Errors of noise-free beads over places between pixels, at five heights."""
    phase = np.linspace(-0.5, 0.5, 11)
    heights = (-2512.0, -1187.0, 463.0, 1538.0, 2731.0)
    y, x = (axis.ravel() for axis in np.meshgrid(phase, phase, indexing="ij"))
    out: dict[str, Any] = {"phase_px": phase, "heights_nm": heights}
    for name in bench.opened:
        maps = np.empty((len(heights), len(x), 3))
        for at, z in enumerate(heights):
            places = np.column_stack([x + 32, y + 32, np.full(len(x), z)])
            stack = bench.optics.images(places, SIZE_PX) * CLEAN_GREY
            maps[at] = errors_of(bench.track(name, stack, clean=True), places).off
        out[name] = {
            "maps": maps.reshape(len(heights), 11, 11, 3),
            "worst_xy_px": np.abs(maps[:, :, :2]).max(),
            "rms_xy_px": np.sqrt(np.mean(maps[:, :, :2] ** 2)),
            "worst_z_nm": np.abs(maps[:, :, 2]).max(),
            "rms_z_nm": np.sqrt(np.mean(maps[:, :, 2] ** 2)),
        }
    return out


def between_planes(bench: Bench) -> dict[str, Any]:
    """Z errors of noise-free beads between the planes of the Z-LUT, 50 nm apart."""
    z = np.arange(-3000.0, 3001.0, 10.0)
    rng = np.random.default_rng(4)
    places = np.column_stack([rng.uniform(-0.5, 0.5, (len(z), 2)) + 31.5, z])
    stack = bench.optics.images(places, SIZE_PX) * CLEAN_GREY
    out: dict[str, Any] = {"z_nm": z}
    for name in bench.opened:
        off = errors_of(bench.track(name, stack, clean=True), places).off[:, 2]
        out[name] = {
            "off_nm": off,
            "worst_nm": np.abs(off).max(),
            "rms_nm": np.sqrt((off**2).mean()),
        }
    return out


def by_height(bench: Bench) -> dict[str, Any]:
    """RMSE of noisy beads by height, beside the bound."""
    edges = np.linspace(-3000, 3000, 25)
    each = max(12, bench.n // 8)
    rng = np.random.default_rng(6)
    z = np.concatenate([rng.uniform(low, high, each) for low, high in pairwise(edges)])
    places = scatter(len(z), SIZE_PX, seed=6)
    places[:, 2] = z
    scene = render(bench.optics, places, SIZE_PX).seen_by(LIGHT)
    shape = (len(edges) - 1, each, 3)
    out: dict[str, Any] = {
        "z_nm": (edges[1:] + edges[:-1]) / 2,
        "bound": np.sqrt(np.mean(scene.bound.reshape(shape) ** 2, axis=1)),
        "beads_per_height": each,
    }
    for name in bench.opened:
        result = bench.track(name, scene.stack)
        off = errors_of(result, scene.truth).off
        out[name] = np.sqrt(np.mean(off.reshape(shape) ** 2, axis=1))
    return out


def by_light(bench: Bench) -> dict[str, Any]:
    """Errors, the bound and what the fit says of its own errors, by light."""
    lights = np.array([300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0])
    rendered = render(bench.optics, scatter(bench.n, SIZE_PX, seed=8), SIZE_PX)
    swept = sweep(bench.optics, SIZE_PX)
    out: dict[str, Any] = {"background_e": lights, "beads": bench.n}
    rows: dict[str, list[Any]] = {
        name: [] for name in (*bench.opened, "bound", "over_bound", "honest")
    }
    for light in lights:
        # 16 bit: rounding must not limit what much light can tell
        exposure = Exposure(light, 10_000.0, bits=16)
        scene = rendered.seen_by(exposure)
        luts = Zluts(swept.seen_by(exposure))
        rows["bound"].append(np.sqrt(np.mean(scene.bound**2, axis=0)))
        for name, one in bench.opened.items():
            result = one.track(scene.stack, luts.of(one))
            errors = errors_of(result, scene.truth)
            off = errors.off[errors.trusted]
            rows[name].append([*np.sqrt(np.mean(off**2, axis=0)), errors.lost, errors.wrong])
            if name == OWN:
                sigma = np.column_stack([result.sigma_x_px, result.sigma_y_px, result.sigma_z_nm])
                reduced = off / sigma[errors.trusted]
                rows["honest"].append(
                    [*np.std(reduced, axis=0), *(np.median(np.abs(reduced), axis=0) / HALF)]
                )
                ratio = np.abs(off) / scene.bound[errors.trusted]
                rows["over_bound"].append(np.median(ratio, axis=0) / HALF)
    return out | {name: np.array(values, float) for name, values in rows.items()}


def centres(bench: Bench) -> dict[str, Any]:
    """X and y of every way to find a centre: noise, bias, capture range."""
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = dict(CENTRES)

    def of(name: str, with_lut: bool) -> Callable[[np.ndarray], np.ndarray]:
        def find(stack: np.ndarray) -> np.ndarray:
            # noise-free images, which are floats, are compared with a noise-free Z-LUT
            lut = bench.lut(name, stack.dtype.kind == "f") if with_lut else None
            result = bench.opened[name].track(stack, lut)
            return np.column_stack([result.x_px, result.y_px])

        return find

    ways["magtrack (auto-convolution)"] = of(THEIRS, False)
    ways["precise, without Z-LUT"] = of(OWN, False)
    ways["precise, with Z-LUT"] = of(OWN, True)
    scene = render(bench.optics, scatter(bench.n, SIZE_PX, seed=9), SIZE_PX).seen_by(LIGHT)
    phase = np.linspace(-0.5, 0.5, 9)
    grid = np.array([(x + 32, y + 32, z) for z in (-1187.0, 1538.0) for x in phase for y in phase])
    clean = bench.optics.images(grid, SIZE_PX) * CLEAN_GREY
    offsets = np.arange(0.0, 0.451, 0.05)
    out: dict[str, Any] = {
        "offset_share": offsets,
        "bound_px": np.sqrt(np.mean(scene.bound[:, 0] ** 2)),
    }
    far = [_offset_beads(bench, share) for share in offsets]
    for name, find in ways.items():
        floats = scene.stack.astype(float) if name in CENTRES else scene.stack
        start = time.process_time()
        found = find(floats)
        took = (time.process_time() - start) / len(floats)
        off = found - scene.truth[:, :2]
        still = find(clean) - grid[:, :2]
        captured = []
        for places, stack in far:
            miss = find(stack.astype(float) if name in CENTRES else stack) - places[:, :2]
            captured.append(np.mean(np.nan_to_num(np.hypot(*miss.T), nan=np.inf) < 0.5))
        out[name] = {
            "rmse_px": np.sqrt(np.nanmean(off**2)),
            "median_px": np.nanmedian(np.abs(off)),
            "bias_px": np.nanmax(np.abs(still)),
            "captured": np.array(captured),
            "us_per_roi": took * 1e6,
        }
    return out


def _offset_beads(bench: Bench, share: float) -> tuple[np.ndarray, np.ndarray]:
    n = max(40, bench.n // 4)
    rng = np.random.default_rng([10, round(share * 100)])
    places = scatter(n, SIZE_PX, reach_px=0.5, seed=10)
    angle = rng.uniform(0, 2 * np.pi, n)
    places[:, 0] += share * SIZE_PX * np.cos(angle)
    places[:, 1] += share * SIZE_PX * np.sin(angle)
    return places, LIGHT.shoot(bench.optics.images(places, SIZE_PX), rng)


def coarse_sweep(bench: Bench) -> dict[str, Any]:
    """Z of the frames of a sweep between those of which the Z-LUT is made, by pitch."""
    out: dict[str, Any] = {"pitch_nm": [], **{name: [] for name in bench.opened}}
    for pitch in (50.0, 100.0, 200.0):
        swept = sweep(bench.optics, SIZE_PX, pitch_nm=pitch / 2, places=8).seen_by(LIGHT)
        number = np.rint((swept.z_nm - swept.z_nm.min()) / (pitch / 2)).astype(int)
        used = number % 2 == 0
        luts = Zluts(type(swept)(swept.stack[used], swept.z_nm[used]))
        inside = ~used & (np.abs(swept.z_nm) <= 3000)
        out["pitch_nm"].append(pitch)
        for name, one in bench.opened.items():
            result = one.track(swept.stack[inside], luts.of(one))
            off = result.z_nm - swept.z_nm[inside]
            out[name].append(
                {
                    "rmse_nm": np.sqrt(np.nanmean(off**2)),
                    "worst_nm": np.nanmax(np.abs(off)),
                    "nan": int(np.isnan(off).sum()),
                    "not_ok": int((result.reason != Reason.OK).sum()),
                    "frames": int(inside.sum()),
                }
            )
    return out


def short(value: Any) -> Any:
    """Return figures to print: rounded, and long arrays left out."""
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items() if key not in ("maps", "off_nm")}
    if isinstance(value, np.ndarray):
        return [short(item) for item in value] if value.size <= 60 else f"array {value.shape}"
    if isinstance(value, (list, tuple)):
        return [short(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.4g}")
    return value


def main() -> None:
    """Measure, plot, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="folder of real recordings")
    parser.add_argument("--only", nargs="+", help="some of the measurements")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bench = prepare(options.quick)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "bias": lambda: bias_maps(bench),
        "planes": lambda: between_planes(bench),
        "height": lambda: by_height(bench),
        "light": lambda: by_light(bench),
        "centres": lambda: centres(bench),
        "coarse": lambda: coarse_sweep(bench),
    }
    if options.data is not None:
        parts["real"] = lambda: real_beads.measure(options.data)
    figures = {}
    for name, part in parts.items():
        if options.only and name not in options.only:
            continue
        start = time.perf_counter()
        figures[name] = part()
        if name in plots.PLOTS:
            plots.PLOTS[name](figures[name], options.out)
        text = json.dumps(plain(short(figures[name])), indent=1)
        sys.stdout.write(f"{name} ({time.perf_counter() - start:.0f} s): {text}\n")
        sys.stdout.flush()
    (options.out / "accuracy.json").write_text(json.dumps(plain(short(figures)), indent=1) + "\n")


if __name__ == "__main__":
    main()
