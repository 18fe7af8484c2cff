"""`beadscope bench view`: a tiny run has every figure; without a display it says so."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

COMMAND = (sys.executable, "-m", "napari_beadscope", "bench", "view")


def run(*arguments: str, display: bool = True) -> subprocess.CompletedProcess[str]:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY"}
    env = {name: value for name, value in os.environ.items() if display or name not in hidden}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=env, timeout=280, check=False
    )


@pytest.mark.timeout(300)
def test_a_tiny_run_has_every_figure() -> None:
    done = run("--sizes", "64,128", "--beads", "0,3", "--seconds", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    cases = {(row["contestant"], row["size_px"], row["beads"]) for row in data["view"]}
    expected = {(name, size, beads) for name in ("beadscope", "beadscope-unlabelled", "shapes")
                for size in (64, 128) for beads in (0, 3)}  # fmt: skip
    assert cases == expected | {("plain", 64, 0), ("plain", 128, 0)}
    for row in data["view"]:
        assert all(isinstance(v, str) or math.isfinite(v) for v in row.values()), row
        assert 0 < row["updates_per_s"] < 40
        assert 0 < row["share_besides_drawing"] < row["share"] <= 1.05
    assert data["machine"]["cores"] >= 1


def test_without_a_display_it_says_so() -> None:
    done = run(display=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "there is no display" in line
    assert "xvfb-run" in line


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--sizes", "many"), "whole numbers"),
        (("--contestants", "theirs"), "use beadscope, "),
        (("--seconds", "0"), "0.2 to 600"),
        (("--micromanager", "/no/python"), "no Python at /no/python"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(arguments: tuple[str, ...], why: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert why in line
