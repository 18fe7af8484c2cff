"""`beadscope batch plan`: a plan from what is there, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from napari_beadscope.cli.boundary import run


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.ome.tif"
    data = np.zeros((4, 2, 64, 64), np.uint16)
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "TCYX"})
    return path


def test_the_plan_goes_to_standard_output(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", "plan", str(cells), "--for", "beads", "--output", "res"]) == 0
    told = capsys.readouterr()
    plan = yaml.safe_load(told.out)
    assert plan["inputs"] == [str(cells)]
    assert plan["output"] == "res"
    assert list(plan["steps"][0]) == ["find_beads"]
    assert told.err == ""


def test_as_json(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", "plan", str(cells.parent), "--step", "find_beads", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["positions"][0]["frames"] == 4
    assert data["positions"][0]["has_times"] is False
    assert yaml.safe_load(data["plan"])["steps"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.tif"], "there is nothing at"),
        (["text.tif"], "cannot be read as TIFF"),
        (["."], "nothing in"),
        (["cells.ome.tif", "--for", "trees"], "a plan cannot be for 'trees': choose cells or bead"),
        (["cells.ome.tif", "--step", "none"], "no service is called 'none'"),
    ],
)
def test_bad_input(
    arguments: list[str],
    words: str,
    cells: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(cells.parent)
    (cells.parent / "text.tif").write_text("no image")
    if arguments == ["."]:
        cells.unlink()
    assert run(["batch", "plan", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 1
