"""What is said about a recording is what its files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_beadscope.cli.summary import saved_lines, summarise
from napari_beadscope.core.types import TRACK_ROW, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest, RecordingWriter


def test_rows_without_a_position_are_counted(tmp_path: Path) -> None:
    beads = (Bead(0, Roi(0, 0, 8)), Bead(1, Roi(8, 8, 8)))
    manifest = Manifest.new(mode="track", format=FrameFormat(16, 16, "uint8"), beads=beads)
    rows = np.zeros(4, TRACK_ROW)
    rows["frame"], rows["bead"] = [0, 0, 1, 1], [0, 1, 0, 1]
    rows["x_px"] = [3.0, np.nan, np.nan, np.nan]
    with RecordingWriter.create(tmp_path / "r", manifest) as writer:
        writer.write_frames(None, [FrameStamp(0, 0), FrameStamp(1, 10_000_000)])
        writer.write_tracks(rows)
    summary = summarise(tmp_path / "r")
    assert (summary["rows"], summary["rows_without_position"]) == (4, 3)
    assert "4 track rows of 2 beads (3 without a position)" in saved_lines(summary)[0]
