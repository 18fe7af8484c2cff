"""Ctrl-C, SIGTERM and kill -9: what is on disk afterwards, and what is said."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from napari_beadscope import open_recording
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.engine import list_engines

from .conftest import beadscope, lines_in, start, wait_for

OPTIONS = {"beads": 2, "height_px": 192, "width_px": 192, "fps": 100, "seed": 5}


def _recording(out: Path, *more: str) -> subprocess.Popen[str]:
    options = [part for pair in OPTIONS.items() for part in ("--option", f"{pair[0]}={pair[1]}")]
    process = start(
        "record", "--camera", "simulated", "--mode", "track+full", "--out", out, *options, *more
    )
    wait_for(lambda: lines_in(out / "frames.csv") > 40 or process.poll() is not None, "frames")
    assert process.poll() is None, process.communicate()
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_every_file_closed(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    process = _recording(out, "--json")
    process.send_signal(number)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    summary = json.loads(said)
    recording = open_recording(out)
    assert summary["interrupted"] is True
    assert recording.manifest.state == summary["state"] == "complete"
    assert len(recording.frames) == summary["frames"] >= 40
    assert len(recording.tracks) == summary["rows"] == summary["beads"] * summary["frames"]


def test_a_signal_while_starting_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("record", "--camera", "simulated", "--mode", "track", "--out", out)
    wait_for(list_engines, "the engine")
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert errors.splitlines()[-1].startswith("beadscope: interrupted by Ctrl-C")
    assert list_engines() == ()
    assert not out.exists()


def test_an_interrupted_tracking_names_the_rest(tmp_path: Path) -> None:
    microscope = SimulatedMicroscope({**OPTIONS, "beads": 1})
    movie = np.stack([microscope.render(number) for number in range(40)])
    tifffile.imwrite(tmp_path / "movie.tif", np.tile(movie, (80, 1, 1)), photometric="minisblack")
    out = tmp_path / "out"
    process = start(
        "track",
        tmp_path / "movie.tif",
        "--method",
        "magtrack-compatible",
        "--backend",
        "magtrack",
        "--out",
        out,
    )
    wait_for(lambda: lines_in(out / "frames.csv") > 40 or process.poll() is not None, "rows")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    recording = open_recording(out)
    done = len(recording.frame_numbers)
    assert recording.manifest.state == "complete"
    assert len(recording.tracks) == done < 3200
    assert [(gap.first, gap.last) for gap in recording.gaps] == [(done, 3199)]


def test_people_are_told_what_was_saved(tmp_path: Path) -> None:
    process = _recording(tmp_path / "out")
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert " frames, " in said
    assert str(tmp_path / "out") in said
    assert "interrupted by Ctrl-C; every file is closed" in errors


def test_kill_9_of_the_whole_engine_and_recover(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = _recording(out)
    engine = beadscope("engines", "--json").data["engines"][0]
    tree = [*psutil.Process(engine["pid"]).children(recursive=True), psutil.Process(engine["pid"])]
    for one in tree:
        one.suspend()  # all at once: those that are left would finish the files
    for one in tree:
        one.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"beadscope recover {out}" in errors.splitlines()[-1]
    assert open_recording(out).manifest.state == "open"

    ran = beadscope("recover", out, "--json")
    recording = open_recording(out)
    assert recording.manifest.state == "recovered"
    assert ran.data["frames"] == len(recording.frames) == lines_in(out / "frames.csv") - 1 >= 40
    assert ran.data["rows"] == len(recording.tracks)
    assert ran.data["lost"] == []
    assert f"the last frame saved is {recording.frame_numbers[-1]}" in ran.data["sentence"]
    microscope = SimulatedMicroscope(OPTIONS)
    first = recording.manifest.first_frame
    assert first is not None
    for index, number in enumerate(recording.frame_numbers.tolist()):
        assert (recording.frames[index] == microscope.render(number + first)).all()

    again = beadscope("recover", out)
    assert "nothing had to be repaired" in again.out


def test_stop_ends_an_engine_and_its_recording(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = _recording(out, "--json")
    engine = beadscope("engines", "--json").data["engines"][0]
    ran = beadscope("stop", engine["engine_id"], "--json")
    assert ran.data["stopped"] == engine["engine_id"]
    assert beadscope("engines").out == "no engine is running\n"
    said, _ = process.communicate(timeout=30)
    assert process.returncode in (0, 2)
    assert said.count("\n") == 1
    assert open_recording(out).manifest.state == "complete"
