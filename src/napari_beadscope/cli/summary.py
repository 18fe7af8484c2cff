"""What a recording holds, read from its own files, for people and for machines.

Must not know how the recording came about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.storage import open_recording


def summarise(folder: Path) -> dict[str, Any]:
    """Return the facts of a recording: counts, rate, gaps, files.

    ``dropped`` counts all frames between the first and the last that are not on disk, whatever
    the cause.
    """
    recording = open_recording(folder)
    manifest = recording.manifest
    times = recording.times_s
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return {
        "out": str(folder),
        "state": manifest.state,
        "mode": manifest.mode.value,
        "camera": manifest.camera.id,
        "backend": manifest.backend,
        "method": manifest.method,
        "frames": manifest.frames_written,
        "dropped": sum(gap.last - gap.first + 1 for gap in manifest.gaps),
        "rows": manifest.rows_written,
        "rows_without_position": int(np.isnan(recording.tracks["x_px"]).sum()),
        "beads": len(manifest.beads),
        "roi_size_px": manifest.beads[0].size if manifest.beads else None,
        "fps": (len(times) - 1) / span if span > 0 else 0.0,
        "seconds": span,
        "gaps": [gap.model_dump() for gap in manifest.gaps],
        "untracked": [gap.model_dump() for gap in manifest.untracked],
        "files": [record.name for record in manifest.files],
        "notes": list(manifest.notes),
    }


def saved_lines(summary: dict[str, Any]) -> list[str]:
    """Return the summary as lines for people."""
    rate = f"{summary['fps']:.1f} frames/s"
    if "tracked_fps" in summary:
        rate = f"tracked {summary['tracked_fps']:.0f} frames/s"
    rows = f"{summary['rows']} track rows of {summary['beads']} beads"
    if summary["rows_without_position"]:
        rows += f" ({summary['rows_without_position']} without a position)"
    lines = [
        f"{summary['frames']} frames, {summary['dropped']} missing, {rows}, {rate}",
        f"saved in {summary['out']}",
    ]
    if summary["method"]:
        tracking = summary.get("tracking") or f"{summary['backend']}, {summary['method']}"
        lines.insert(1, f"tracked with {tracking}")
    for name, what in (("gaps", "not saved"), ("untracked", "not tracked")):
        lines += [
            f"frames {gap['first']} to {gap['last']} {what}: {gap['cause']}"
            for gap in summary[name][:10]
        ]
        if len(summary[name]) > 10:
            lines.append(f"and {len(summary[name]) - 10} more ranges, see recording.yaml")
    return lines
