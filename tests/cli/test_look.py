"""`beadscope info`, `cameras`, help: what there is, at once."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from napari_beadscope import __version__
from napari_beadscope.core.commands import command_names
from napari_beadscope.core.types import METHODS

from .conftest import COMMAND, beadscope


def test_info_for_machines() -> None:
    data = beadscope("info", "--json").data
    assert data["versions"]["napari-beadscope"] == __version__
    assert data["commands"] == list(command_names())
    backends = {one["name"]: one for one in data["backends"]}
    assert backends["cpu"]["available"]
    assert backends["cpu"]["methods"] == list(data["auto"]) == list(METHODS)
    assert all("cores" in said or "gpu" in said for said in data["auto"].values())
    assert bool(backends["magtrack-gpu"]["why_not"]) != backends["magtrack-gpu"]["available"]
    assert data["folders"]["config"] == os.environ["BEADSCOPE_CONFIG_DIR"]
    assert data["folders"]["runtime"] == os.environ["BEADSCOPE_RUNTIME_DIR"]
    assert data["engines"] == []


def test_info_for_people() -> None:
    text = beadscope("info").out
    for word in (
        "Versions",
        "Tracking backends",
        "auto, precise",
        "Folders",
        "StartRecording",
        __version__,
    ):
        assert word in text


def test_cameras() -> None:
    assert "replay:PATH" in beadscope("cameras").out
    found = beadscope("cameras", "--json").data["cameras"]
    assert {one["id"] for one in found} >= {"simulated", "replay:PATH"}
    assert all(one["available"] or one["why_not"] for one in found)


def test_what_is_connected_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    found = {one["id"]: one for one in beadscope("cameras", "--json").data["cameras"]}
    assert found["pylon:0815-0000"]["available"]
    text = beadscope("motors").out
    assert "simulated-focus" in text
    motors = beadscope("motors", "--json").data["motors"]
    assert all(one["available"] or one["why_not"] for one in motors)


def test_help_comes_at_once() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(4)) < 0.5


def test_without_arguments_it_shows_its_help() -> None:
    assert "Commands:" in beadscope(code=2).err
    assert beadscope("--version").out == f"beadscope {__version__}\n"


def test_nothing_runs_so_nothing_can_be_stopped(tmp_path: Path) -> None:
    nothing = "beadscope: no engine is running: there is nothing to stop\n"
    assert beadscope("stop", code=2).err == nothing
    assert beadscope("stop", "0123", code=2).err.startswith("beadscope: no engine 0123")
