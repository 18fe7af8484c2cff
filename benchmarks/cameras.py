"""Frame rates of the cameras that run without hardware, at the fastest they can be set to.

``python benchmarks/cameras.py`` measures all that are installed here, each at several sizes,
twice: read in a loop of this process, and streamed into the ring by an engine, from which a
tracker and a viewer would read. Lost frames are those that the device counted and nobody got.
``--only NAME`` measures those whose name holds it; ``--json`` prints JSON alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.devices import Camera, open_camera
from napari_beadscope.script import Scope
from napari_beadscope.testing.aravis import FakeGigeCamera

_WARM_S = 1.0
_SQUARES = (512, 1024, 2048)


@dataclass(frozen=True)
class Row:
    """One camera of the table.

    ``sizes`` are edges of a square ROI in px, none for the size that the camera has; ``settings``
    go to the camera after its ROI, where ``min`` and ``max`` mean the ends of the range;
    ``running`` holds what must run meanwhile.
    """

    name: str
    camera_id: str
    sizes: tuple[int, ...] = _SQUARES
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, float | str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    running: Callable[[], AbstractContextManager[Any]] = nullcontext


def _package_folder(name: str) -> str:
    found = importlib.util.find_spec(name)
    return str(Path(found.origin).parent) if found is not None and found.origin else ""


ROWS = (
    Row(
        "pylon emulation, Mono8",
        "pylon:0815-0000",
        options={"buffers": 256},
        settings={"exposure_ms": "min", "fps": "max"},
        environment={"PYLON_CAMEMU": "1"},
    ),
    Row(
        "pylon emulation, Mono16",
        "pylon:0815-0000",
        options={"buffers": 256, "nodes": {"PixelFormat": "Mono16"}},
        settings={"exposure_ms": "min", "fps": "max"},
        environment={"PYLON_CAMEMU": "1"},
    ),
    Row(
        "GenTL producer viky.cti, Mono8",
        "genicam:VikyTL_DEV_red",
        sizes=(400, 800),
        settings={"fps": "max"},
        environment={"GENICAM_GENTL64_PATH": _package_folder("genicam")},
    ),
    Row(
        "MMCore DemoCamera, 16 bit",
        "micromanager:demo",
        options={
            "properties": {
                "Camera.OnCameraCCDXSize": 2048,
                "Camera.OnCameraCCDYSize": 2048,
                "Camera.FastImage": 1,  # the same image again and again: the core is measured
            }
        },
        settings={"exposure_ms": 0.1},
    ),
    Row(
        "Aravis' fake GigE camera, Mono8",
        "aravis:127.0.0.1",
        options={"buffers": 128},
        settings={"exposure_ms": "min", "fps": "max"},
        running=FakeGigeCamera,
    ),
    Row(
        "python-microscope's simulated camera",
        "microscope:microscope.simulators.SimulatedCamera",
        sizes=(512,),
        settings={"exposure_ms": 0.1, "fps": "max", "image pattern": "black"},
    ),
)


def _value(prop: Mapping[str, Any], wanted: float | str) -> float | str:
    return {"min": prop["minimum"], "max": prop["maximum"]}.get(str(wanted), wanted)


def _settings(row: Row, size: int) -> list[tuple[str, float | str]]:
    roi = [("roi", f"0,0,{size},{size}")] if size else []
    return [*roi, *row.settings.items()]


def read_here(row: Row, size: int, seconds: float) -> dict[str, Any]:
    """Measure a loop of reads."""
    with open_camera(row.camera_id, dict(row.options)) as camera:
        for name, wanted in _settings(row, size):
            known = {one.name: one for one in camera.properties()}
            prop = {"minimum": known[name].minimum, "maximum": known[name].maximum}
            camera.set(name, _value(prop, wanted))
        camera.start()
        out = np.empty(camera.format.shape, camera.format.dtype)
        _read(camera, out, _WARM_S)
        frames, first, last, elapsed = _read(camera, out, seconds)
        return {
            "height_px": camera.format.height_px,
            "width_px": camera.format.width_px,
            "dtype": camera.format.dtype,
            "fps": frames / elapsed,
            "lost": last - first + 1 - frames,
        }


def _read(camera: Camera, out: np.ndarray, seconds: float) -> tuple[int, int, int, float]:
    frames, first, last = 0, -1, -1
    began = now = time.perf_counter()
    while now - began < seconds:
        stamp = camera.read_into(out, 1.0)
        now = time.perf_counter()
        if stamp is not None:
            first = stamp.frame if first < 0 else first
            last, frames = stamp.frame, frames + 1
    return frames, first, last, now - began


def stream(row: Row, size: int, seconds: float) -> dict[str, Any]:
    """Measure an engine that streams into its ring."""
    with Scope(row.camera_id, options=dict(row.options)) as scope:
        for name, wanted in _settings(row, size):
            known = {one["name"]: one for one in scope.camera_properties()}
            scope.set_camera(**{name: _value(known[name], wanted)})
        scope.start_live()
        scope.wait_for(lambda scope: scope.status().frames > 2, 30)
        time.sleep(_WARM_S)
        before, began = scope.status(), time.perf_counter()
        time.sleep(seconds)
        after, elapsed = scope.status(), time.perf_counter() - began
        return {
            "ring_fps": (after.frames - before.frames) / elapsed,
            "ring_lost": after.dropped - before.dropped,
        }


def measure(row: Row, seconds: float) -> list[dict[str, Any]]:
    """Return one record per size; of a camera that cannot be had, why."""
    records = []
    before = dict(os.environ)
    os.environ.update(row.environment)
    try:
        with row.running():
            for size in row.sizes or (0,):
                record: dict[str, Any] = {"camera": row.name, "id": row.camera_id}
                try:
                    record |= read_here(row, size, seconds)
                    record |= stream(row, size, seconds)
                except BeadscopeError as error:
                    record["why_not"] = str(error)
                records.append(record)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| camera | frames | read, fps (lost) | into the ring, fps (lost) |",
        "|---|---|---|---|",
    ]
    for one in records:
        if "why_not" in one:
            lines.append(f"| {one['camera']} | | not here: {one['why_not']} | |")
            continue
        size = f"{one['height_px']} × {one['width_px']} {one['dtype']}"
        read = f"{one['fps']:.0f} ({one['lost']})"
        ring = f"{one['ring_fps']:.0f} ({one['ring_lost']})"
        lines.append(f"| {one['camera']} | {size} | {read} | {ring} |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of the names to measure")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("BEADSCOPE_CONFIG_DIR", folder)
        rows = [row for row in ROWS if arguments.only.lower() in row.name.lower()]
        records = [one for row in rows for one in measure(row, arguments.seconds)]
    if not arguments.json:
        print(table(records), file=sys.stderr)
    print(json.dumps(records, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
