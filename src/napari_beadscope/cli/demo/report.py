"""The demo's report: one HTML page that needs nothing else, and the same facts as JSON."""

from __future__ import annotations

import base64
import html
import json
import platform
from pathlib import Path
from typing import Any

from napari_beadscope import __version__
from napari_beadscope.cli.output import plain

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px; background: #fff; }
table { border-collapse: collapse; } td { border-bottom: 1px solid var(--line); padding: .3rem 1rem .3rem 0; }
td:first-child { color: var(--soft); } code { font-size: .9em; } p.soft { color: var(--soft); }
"""  # noqa: E501


def write_report(folder: Path, facts: dict[str, Any]) -> None:
    """Write report.html and report.json into the demo's folder."""
    text = json.dumps(plain(facts), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(f"{text}\n", encoding="utf-8")
    picture = base64.b64encode((folder / "story.png").read_bytes()).decode()
    (folder / "report.html").write_text(_page(facts, picture), encoding="utf-8")


def _page(facts: dict[str, Any], picture: str) -> str:
    rows = "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in _rows(facts)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>BeadScope demo</title><style>{_STYLE}</style></head><body>
<h1>BeadScope demo: a simulated microscope, recorded, tracked and checked</h1>
<p>{facts["beads"]} tethered beads jitter by Brownian motion in {facts["frames"]} frames. In the
middle of the recording the magnet comes nearer: the tethers stretch, the beads rise and jitter
less. Frames and tracks took the same way as those of a real camera: shared memory, tracker
processes, recorder, files. They were then read back and compared with what the simulation
knows.</p>
<img alt="A frame with the beads found, one bead's rings, its track beside the truth, the errors"
 src="data:image/png;base64,{picture}">
<h2>Figures</h2>
<table>
{rows}
</table>
<h2>Files</h2>
<p><code>recording/</code> holds the video, <code>tracks.csv</code> and <code>recording.yaml</code>;
<code>preview.mp4</code> is a small movie of it; <code>zlut.txt</code> is the Z-LUT from the focus
sweep; <code>report.json</code> has the figures for programs.</p>
<p class="soft">napari-beadscope {__version__}, Python {platform.python_version()},
{html.escape(platform.platform())}</p>
</body></html>
"""


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    compared = f"{facts['frames_identical']} of {facts['frames_compared']} compared"
    return [
        ("Frames recorded", f"{facts['frames']} in {facts['seconds']:.2f} s"),
        ("Frame rate", f"{facts['fps']:.2f} frames/s"),
        ("Frames dropped", str(facts["dropped"])),
        ("Frames identical to the simulation, pixel by pixel", compared),
        ("Beads found", f"{facts['beads_found']}, of them real {facts['beads_matched']}"),
        ("Track rows", f"{facts['rows']}, without position {facts['rows_without_position']}"),
        ("RMSE in x", f"{facts['rmse_x_nm']:.2f} nm"),
        ("RMSE in y", f"{facts['rmse_y_nm']:.2f} nm"),
        ("RMSE in z", f"{facts['rmse_z_nm']:.2f} nm"),
        ("ROI", f"{facts['roi_size_px']} px"),
        ("Seed", str(facts["seed"])),
    ]
