"""What is said about a recording is what its files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_beadscope.cli.summary import saved_lines, summarise
from napari_beadscope.core.types import (
    TRACK_ROW,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    Reason,
    Roi,
)
from napari_beadscope.storage import Manifest, RecordingWriter
from napari_beadscope.tracking import ZLut


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


def test_rows_without_z_and_in_doubt_are_counted_with_the_reason(tmp_path: Path) -> None:
    manifest = Manifest.new(
        mode="track",
        format=FrameFormat(16, 16, "uint8"),
        beads=(Bead(0, Roi(0, 0, 8)),),
        calibration=Calibration(100.0, str(_zlut(tmp_path))),
    )
    rows = np.zeros(3, TRACK_ROW)
    rows["frame"] = [0, 1, 2]
    rows["z_nm"] = [5.0, np.nan, np.nan]
    rows["reason"] = [Reason.SATURATED, Reason.POOR_MATCH, Reason.POOR_MATCH]
    with RecordingWriter.create(tmp_path / "r", manifest) as writer:
        writer.write_frames(None, [FrameStamp(number, number * 10_000_000) for number in range(3)])
        writer.write_tracks(rows)
    summary = summarise(tmp_path / "r")
    assert (summary["rows_without_z"], summary["rows_in_doubt"]) == (2, 3)
    lines = saved_lines(summary)
    assert "3 frames, 0 missing, 3 track rows of 1 bead," in lines[0]
    assert lines[1].startswith("2 rows without z, 3 rows in doubt (most: the rings are not those")


def _zlut(folder: Path) -> Path:
    path = folder / "zlut.txt"
    ZLut(np.arange(3.0), np.arange(15.0).reshape(3, 5)).save(path)
    return path
