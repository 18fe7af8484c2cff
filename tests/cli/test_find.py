"""`beadscope find`: bead list, picture, refusals; its list is what the other commands take."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_beadscope.cli.boundary import run
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.storage import read_points
from napari_beadscope.tracking import find_beads

from .conftest import Ran, beadscope

COLUMNS = ["bead", "y_px", "x_px", "radius_px", "score", "isolated"]
OPTIONS = {
    "beads": 5, "height_px": 300, "width_px": 340, "seed": 3, "spacing_px": 90, "margin_px": 60,
}  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return SimulatedMicroscope(OPTIONS).render(0)


@pytest.fixture
def image(tmp_path: Path, frame: np.ndarray) -> Path:
    path = tmp_path / "field.png"
    Image.fromarray(frame).save(path)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        assert lines.fieldnames == COLUMNS
        return list(lines)


def find(*arguments: object) -> int:
    """Run the command in this process; return the exit code."""
    return run(["find", *map(str, arguments)])


def said(capsys: pytest.CaptureFixture[str], code: int = 0) -> Ran:
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err)


def test_real_field(data_dir: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "beads.csv", tmp_path / "beads.png"
    field = data_dir / "mt_field_real.jpg"
    data = beadscope("find", field, "--out", out, "--picture", picture, "--json").data
    rows = rows_of(out)
    assert data["beads"] == len(rows) == len(data["found"])
    assert 90 <= len(rows) <= 98
    assert [row["bead"] for row in rows] == [str(bead) for bead in range(len(rows))]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["isolated"] for row in rows} == {"0", "1"}
    assert data["isolated"] == sum(row["isolated"] == "1" for row in rows)
    assert (data["height_px"], data["width_px"], data["frame"]) == (1022, 1398, 0)
    with Image.open(picture) as drawn:
        colours = np.asarray(drawn.convert("RGB")).reshape(-1, 3).astype(int)
    assert (np.ptp(colours, axis=1) > 60).sum() > 2000, "beads are drawn in colour"
    again = find_beads(np.asarray(Image.open(field).convert("L")))
    np.testing.assert_allclose([float(row["y_px"]) for row in rows], again.y_px, atol=6e-4)
    np.testing.assert_allclose([float(row["x_px"]) for row in rows], again.x_px, atol=6e-4)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.bmp"])
def test_kinds_of_files(tmp_path: Path, frame: np.ndarray, name: str) -> None:
    path, out = tmp_path / name, tmp_path / "beads.csv"
    if name.endswith("tif"):
        tifffile.imwrite(path, frame.astype(np.uint16) * 150, photometric="minisblack")
    else:
        Image.fromarray(frame).save(path)
    assert find(path, "--out", out) == 0
    truth = SimulatedMicroscope(OPTIONS).truth([0])[0]
    points = read_points(out)
    assert len(points) == len(truth)
    for x, y, _ in truth:
        assert min(np.hypot(point.y_px - y, point.x_px - x) for point in points) < 0.5


def test_frame_of_a_movie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "movie.tif"
    empty = SimulatedMicroscope({**OPTIONS, "beads": 0, "debris_per_mpx": 0}).render(0)
    movie = np.stack([empty, SimulatedMicroscope(OPTIONS).render(0), empty])
    tifffile.imwrite(path, movie, photometric="minisblack")
    assert find(path, "--frame", 1, "--json") == 0
    assert json.loads(said(capsys).out)["beads"] == 5
    assert find(path, "--frame", -2, "--json") == 0
    assert json.loads(said(capsys).out)["frame"] == 1
    assert find(path) == 2
    assert "no bead was found in" in said(capsys).err
    assert find(path, "--frame", 3) == 2
    assert "there is no frame 3 in" in said(capsys).err


def test_selection(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every, best, alone = (tmp_path / f"{name}.csv" for name in ("every", "best", "alone"))
    assert find(image, "--out", every, "--roi-size", 100) == 0
    assert find(image, "--out", best, "--roi-size", 100, "--max-beads", 2) == 0
    assert rows_of(best) == rows_of(every)[:2]
    assert find(image, "--out", alone, "--roi-size", 100, "--isolated-only") == 0
    kept = [{**row, "bead": ""} for row in rows_of(every) if row["isolated"] == "1"]
    assert [{**row, "bead": ""} for row in rows_of(alone)] == kept
    assert 0 < len(kept) < 5
    capsys.readouterr()
    assert find(image, "--min-score", 1) == 2
    assert find(image, "--min-score", 0.9) == 0


def test_without_a_file_the_best_are_told(image: Path, tmp_path: Path) -> None:
    ran = beadscope("find", image)
    lines = ran.out.splitlines()
    assert lines[0].startswith("5 beads of ")
    assert lines[-6].split() == COLUMNS
    assert sorted(path.name for path in tmp_path.iterdir()) == [image.name]


def test_track_takes_the_list(image: Path, frame: np.ndarray, tmp_path: Path) -> None:
    beads, movie = tmp_path / "beads.csv", tmp_path / "movie.tif"
    tifffile.imwrite(movie, np.stack([frame] * 3), photometric="minisblack")
    assert find(image, "--out", beads, "--roi-size", 64, "--isolated-only") == 0
    tracked = beadscope(
        "track", movie, "--beads", beads, "--roi-size", 64, "--out", tmp_path / "t", "--json"
    )
    assert tracked.data["rows"] == 3 * len(rows_of(beads))


def test_nothing_is_overwritten(image: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "beads.csv", tmp_path / "beads.png"
    assert find(image, "--out", out, "--picture", picture) == 0
    assert find(image, "--out", out, "--picture", picture, "--overwrite") == 0
    out.write_text("mine")
    assert find(image, "--out", out) == 2
    assert find(image, "--out", tmp_path / "new.csv", "--picture", picture) == 2
    assert not (tmp_path / "new.csv").exists()
    assert out.read_text() == "mine"
    assert find(image, "--out", out, "--overwrite") == 0
    assert len(rows_of(out)) == 5


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["none.png", "--out", "new.csv"], "there is no file"),
        (["words.png", "--out", "new.csv"], "is not an image"),
        (["grey.png", "--out", "new.csv", "--picture", "new.png"], "no bead was found in grey.png"),
        (["tiny.png", "--out", "new.csv"], "no bead was found in tiny.png"),
        (["field.png", "--out", "no/new.csv"], "there is no folder no"),
        (["field.png", "--out", "."], "is a folder"),
        (["field.png", "--out", "new.csv", "--picture", "new.doc"], "cannot be drawn as new.doc"),
        (["field.png", "--out", "new.png", "--picture", "new.png"], "are both new.png"),
        (["field.png", "--out", "new.csv", "--min-score", "2"], "--min-score is 2"),
        (["field.png", "--out", "new.csv", "--min-score", "nan"], "--min-score is nan"),
        (["field.png", "--out", "new.csv", "--max-beads", "0"], "--max-beads is 0"),
        (["field.png", "--out", "new.csv", "--roi-size", "4"], "ROIs of 4 px cannot be tracked"),
        (["field.png", "--out", "new.csv", "--frame", "1"], "it has one frame"),
        (
            ["field.png", "--out", "new.csv", "--roi-size", "256", "--isolated-only"],
            "stands alone in an ROI of 256 px",
        ),
    ],
)
def test_refusals(
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    part: str,
) -> None:
    monkeypatch.chdir(image.parent)
    Path("words.png").write_text("hello")
    Image.fromarray(np.full((80, 90), 128, np.uint8)).save("grey.png")
    Image.fromarray(np.full((3, 2), 128, np.uint8)).save("tiny.png")
    before = sorted(Path().iterdir())
    assert find(*arguments) == 2
    words = said(capsys).err
    assert part in words
    assert words.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_what_is_read_is_never_written_over(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    assert find(image, "--out", image, "--overwrite") == 2
    assert find(image, "--out", tmp_path / "b.csv", "--picture", image, "--overwrite") == 2
    assert image.read_bytes() == before
    assert list(tmp_path.iterdir()) == [image]


def test_two_outputs_have_two_names(image: Path, tmp_path: Path) -> None:
    assert find(image, "--out", tmp_path / "a.png", "--picture", tmp_path / "a.png") == 2
    assert list(tmp_path.iterdir()) == [image]


def test_devices_and_pipes_are_left_alone(image: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert find(image, "--out", pipe, "--overwrite") == 2
    assert pipe.is_fifo()


def test_files_of_others_beside_the_list_stay(image: Path, tmp_path: Path) -> None:
    mine = tmp_path / "f.png.part"
    mine.write_text("mine")
    assert find(image, "--out", tmp_path / "b.csv", "--picture", tmp_path / "f.png") == 0
    assert mine.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        "field.png", "f.png.part", "b.csv", "f.png",
    }  # fmt: skip
