"""What a recording holds, read from its own files, for people and for machines.

Must not know how the recording came about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.types import Reason
from napari_beadscope.storage import open_recording

_WHY = {
    Reason.EMPTY: "there is nothing in the ROI",
    Reason.SATURATED: "pixels are at full scale; lower the light or the exposure",
    Reason.CLIPPED: "the ROI is cut by the frame's edge",
    Reason.NOT_FINITE: "pixels are not finite",
    Reason.OUT_OF_RANGE: "there are no even rings about one centre in the ROI",
    Reason.Z_OUT_OF_RANGE: "the height is beyond the Z-LUT",
    Reason.POOR_MATCH: "the rings are not those of the Z-LUT's bead; was it made with another "
    "kind of bead?",
    Reason.FAILED: "the tracker failed",
}


def summarise(folder: Path) -> dict[str, Any]:
    """Return the facts of a recording: counts, rate, gaps, files.

    ``dropped`` counts all frames between the first and the last that are not on disk, whatever
    the cause; ``rows_without_z`` is None without a Z-LUT.
    """
    recording = open_recording(folder)
    manifest = recording.manifest
    times = recording.times_s
    tracks = recording.tracks
    doubts = tracks["reason"][tracks["reason"] != Reason.OK]
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
        "rows_without_position": int(np.isnan(tracks["x_px"]).sum()),
        "rows_without_z": (
            int(np.isnan(tracks["z_nm"]).sum()) if manifest.calibration.zlut else None
        ),
        "rows_in_doubt": len(doubts),
        "most_frequent_doubt": _most_frequent(doubts),
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
    rows = f"{_count(summary['rows'], 'track row')} of {_count(summary['beads'], 'bead')}"
    if summary["rows_without_position"]:
        rows += f" ({summary['rows_without_position']} without a position)"
    lines = [
        f"{_count(summary['frames'], 'frame')}, {summary['dropped']} missing, {rows}, {rate}",
        f"saved in {summary['out']}",
    ]
    if summary["rows_in_doubt"] or summary["rows_without_z"]:
        lines.insert(1, _doubt_line(summary))
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


def _most_frequent(doubts: np.ndarray) -> str:
    """Return in words which `Reason` most rows have, '' for no rows."""
    if not len(doubts):
        return ""
    reasons, counts = np.unique(doubts, return_counts=True)
    number = int(reasons[counts.argmax()])
    return _WHY[Reason(number)] if number in set(Reason) else f"reason {number}"


def _doubt_line(summary: dict[str, Any]) -> str:
    parts = []
    if summary["rows_without_z"]:
        parts.append(f"{_count(summary['rows_without_z'], 'row')} without z")
    if summary["rows_in_doubt"]:
        parts.append(f"{_count(summary['rows_in_doubt'], 'row')} in doubt")
    why = summary["most_frequent_doubt"]
    return ", ".join(parts) + (f" (most: {why})" if why else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
