"""Bad input: exit code 2, one sentence, nothing made, nothing overwritten, no engine started."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.cli.boundary import run
from napari_beadscope.engine import list_engines
from napari_beadscope.tracking import ZLut

from .conftest import beadscope

GOOD_BEADS = "bead,y_px,x_px\n0,60,60\n"

#: Name: (arguments, a part of the sentence). {} is a folder with the files made below.
BAD: dict[str, tuple[str, str]] = {
    # sources
    "missing file": ("record --camera replay:{}/none.tif --out {}/new", "there is no file"),
    "missing input": ("track {}/none.tif --out {}/new", "there is no file"),
    "text as image": ("track {}/text.tif --out {}/new", "cannot be read as TIFF"),
    "text as camera": ("record --camera replay:{}/text.tif --out {}/new", "cannot be read as TIFF"),
    "not an image": ("track {}/beads.csv --out {}/new", "is not an image file by its name"),
    "empty folder": ("track {}/empty --out {}/new", "there are no images in the folder"),
    "float image": ("track {}/float.tif --out {}/new", "float32"),
    "grey nothing": ("track {}/grey.tif --out {}/new", "no bead was found"),
    "grey camera": ("record --camera replay:{}/grey.tif --out {}/new", "no bead was found"),
    "tracks only": ("track {}/tracksonly --out {}/new", "holds no images"),
    # Z-LUT
    "missing zlut": ("track {}/movie.tif --zlut {}/none.txt --out {}/new", "does not exist"),
    "zlut of words": ("track {}/movie.tif --zlut {}/text.tif --out {}/new", "not a table"),
    "zlut of a size": (
        "track {}/movie.tif --zlut {}/zlut.txt --roi-size 72 --out {}/new",
        "the Z-LUT reaches 31 px from the centre, but ROIs of 72 px need 35 px",
    ),
    "zlut when recording": (
        "record --camera replay:{}/movie.tif --zlut {}/zlut.txt --roi-size 72 --out {}/new",
        "the Z-LUT reaches 31 px",
    ),
    # ROIs and bead lists
    "roi outside": (
        "track {}/movie.tif --beads {}/edge.csv --roi-size 64 --out {}/new",
        "the ROI of bead 4 at y 10, x 60 (64 px) leaves the frame of 128 × 160 px",
    ),
    "roi outside live": (
        "record --camera replay:{}/movie.tif --beads {}/edge.csv --roi-size 64 --out {}/new",
        "leaves the frame",
    ),
    "roi too small": ("track {}/movie.tif --roi-size 4 --out {}/new", "ROIs of 4 px cannot"),
    "roi negative": ("track {}/movie.tif --roi-size -64 --out {}/new", "ROIs of -64 px cannot"),
    "roi too large": ("track {}/movie.tif --roi-size 150 --out {}/new", "(ROIs of 150 px)"),
    "beads missing": ("track {}/movie.tif --beads {}/none.csv --out {}/new", "no bead list"),
    "beads without column": (
        "track {}/movie.tif --beads {}/nocolumn.csv --out {}/new", "lacks the column 'x_px'",
    ),
    "beads of words": ("track {}/movie.tif --beads {}/words.csv --out {}/new", "line 3"),
    "beads not finite": ("track {}/movie.tif --beads {}/nan.csv --out {}/new", "'nan' is not"),
    "beads twice": ("track {}/movie.tif --beads {}/twice.csv --out {}/new", "lists bead 1 twice"),
    "beads none": ("track {}/movie.tif --beads {}/header.csv --out {}/new", "lists no bead"),
    "beads binary": ("track {}/movie.tif --beads {}/grey.tif --out {}/new", "cannot be read"),
    # numbers
    "seconds negative": ("record --camera simulated --seconds -1 --out {}/new", "--seconds is -1"),
    "seconds nan": ("record --camera simulated --seconds nan --out {}/new", "--seconds is nan"),
    "seconds inf": ("record --camera simulated --seconds inf --out {}/new", "--seconds is inf"),
    "seconds a word": ("record --camera simulated --seconds soon --out {}/new", "'--seconds'"),
    "frames zero": ("record --camera simulated --frames 0 --out {}/new", "--frames is 0"),
    "frames and seconds": (
        "record --camera simulated --frames 9 --seconds 1 --out {}/new", "give one of them",
    ),
    "pixel nan": ("track {}/movie.tif --nm-per-px nan --out {}/new", "--nm-per-px is nan"),
    "pixel zero": ("track {}/movie.tif --nm-per-px 0 --out {}/new", "--nm-per-px is 0"),
    "pixel huge": ("record --camera simulated --nm-per-px 1e9 --out {}/new", "nm/px"),
    "fps tiny": ("track {}/movie.tif --fps 1e-300 --out {}/new", "--fps is 1e-300: give 1e-06 to"),
    "fps huge": ("track {}/movie.tif --fps 1e300 --out {}/new", "--fps is 1e+300"),
    "fps negative": ("track {}/movie.tif --fps -5 --out {}/new", "--fps is -5"),
    # names
    "camera": ("record --camera kamera --out {}/new", "there is no camera 'kamera'"),
    "camera of nothing": ("record --camera replay: --out {}/new", "says not which"),
    "mode": ("record --camera simulated --mode all --out {}/new", "no acquisition mode 'all'"),
    "backend": ("track {}/movie.tif --backend quick --out {}/new", "no tracking backend 'quick'"),
    "method": ("track {}/movie.tif --method quick --out {}/new", "no tracking method 'quick'"),
    "method live": ("record --camera simulated --method quick --out {}/new", "no tracking method"),
    "method of another": (
        "track {}/movie.tif --backend magtrack --out {}/new", "use --method magtrack-compatible",
    ),
    "backend live": ("record --camera simulated --backend quick --out {}/new", "no tracking"),
    "option without value": (
        "record --camera simulated --option beads --out {}/new", "is not NAME=VALUE",
    ),
    "option unknown": (
        "record --camera simulated --option speed=3 --out {}/new", "has no option 'speed'",
    ),
    "option out of range": (
        "record --camera simulated --option beads=-3 --out {}/new", "option beads",
    ),
    "option of words": (
        "record --camera replay:{}/movie.tif --option fps=fast --out {}/new", "option fps",
    ),
    "command": ("rekord --out {}/new", "No such command 'rekord'"),
    "flag": ("record --loud --out {}/new", "No such option: --loud"),
    "no folder": ("record --camera simulated", "Missing option '--out'"),
    # folders
    "folder is a file": ("track {}/movie.tif --out {}/beads.csv", "is not a folder"),
    "folder in a file": ("record --camera simulated --out {}/beads.csv/x", "is not a folder"),
    "folder holds a recording": (
        "record --camera simulated --out {}/tracksonly", "already holds a recording",
    ),
    "tracks hold a recording": (
        "track {}/movie.tif --out {}/tracksonly", "already holds a recording",
    ),
    "disk full": (
        "track {}/movie.tif --settings {}/full.yaml --out {}/new", "is nearly full",
    ),
    "disk full live": (
        "record --camera simulated --settings {}/full.yaml --out {}/new", "is nearly full",
    ),
    "demo holds something": ("demo --headless --out {}/tracksonly", "already holds a recording"),
    "demo not empty": ("demo --headless --out {}/full", "is not empty"),
    "not a recording": ("recover {}/empty", "is not a recording"),
    "recording missing": ("recover {}/none", "is not a recording"),
    # settings
    "settings missing": (
        "record --camera simulated --settings {}/none.yaml --out {}/new", "no settings file",
    ),
    "settings broken": (
        "record --camera simulated --settings {}/broken.yaml --out {}/new", "is not valid YAML",
    ),
    "settings unknown": (
        "track {}/movie.tif --settings {}/unknown.yaml --out {}/new", "did you mean 'tracking",
    ),
    # demo
    "demo without beads": ("demo --headless --beads 0 --out {}/new", "--beads is 0"),
    "demo of many beads": ("demo --headless --beads 9999 --out {}/new", "--beads is 9999"),
    "demo of no time": ("demo --headless --seconds 0 --out {}/new", "--seconds is 0"),
    "demo of nan": ("demo --headless --seconds nan --out {}/new", "--seconds is nan"),
    "demo seed": ("demo --headless --seed -1 --out {}/new", "--seed is -1"),
    "engine": ("stop abcdef", "no engine abcdef is running"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad files."""
    place = tmp_path_factory.mktemp("bad")
    y, x = np.indices((128, 160))
    r = np.hypot(y - 64, x - 80)
    rings = 120 + 80 * np.cos(r / 2) * np.exp(-((r / 14) ** 2))
    grey = {"photometric": "minisblack"}
    movie = np.repeat(rings[np.newaxis].astype(np.uint8), 4, axis=0)
    tifffile.imwrite(place / "movie.tif", movie, **grey)
    tifffile.imwrite(place / "grey.tif", np.full((3, 128, 160), 99, np.uint8), **grey)
    tifffile.imwrite(place / "float.tif", rings.astype(np.float32), **grey)
    ZLut(z_nm=np.arange(10.0), profiles=np.random.default_rng(0).random((10, 32))).save(
        place / "zlut.txt"
    )
    for name, text in {
        "text.tif": "this is no image",
        "beads.csv": GOOD_BEADS,
        "edge.csv": "bead,y_px,x_px\n1,64,80\n4,10,60\n",
        "nocolumn.csv": "bead,y_px\n0,60\n",
        "words.csv": "bead,y_px,x_px\n0,60,60\n1,here,60\n",
        "nan.csv": "bead,y_px,x_px\n0,60,nan\n",
        "twice.csv": "bead,y_px,x_px\n1,60,60\n1,70,70\n",
        "header.csv": "bead,y_px,x_px\n",
        "full.yaml": "recording:\n  min_free_gb: 90000\n",
        "broken.yaml": "camera: [1,\n",
        "unknown.yaml": "tracking:\n  roi_size: 9\n",
    }.items():
        (place / name).write_text(text, encoding="utf-8")
    (place / "empty").mkdir()
    (place / "full").mkdir()
    (place / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    beadscope("track", place / "movie.tif", "--out", place / "tracksonly")
    return place


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], int]]:
    """The command in this process, without its changes to logging."""
    handlers = list(logging.getLogger().handlers)
    yield run
    logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", BAD)
def test_one_sentence_and_nothing_else(
    name: str,
    folder: Path,
    command: Callable[[list[str]], int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    line, part = BAD[name]
    before = _contents(folder)
    code = command([word.replace("{}", str(folder)) for word in line.split()])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert err.startswith("beadscope: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert part in err
    assert out == ""
    assert _contents(folder) == before
    assert list_engines() == ()


def test_a_bad_settings_file_of_the_user(
    folder: Path,
    tmp_path: Path,
    command: Callable[[list[str]], int],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("engine:\n  ring_mb: -3\n", encoding="utf-8")
    for line in (f"record --camera simulated --out {folder}/new", "info"):
        assert command(line.split()) == 2
        out, err = capfd.readouterr()
        assert "settings.yaml line 2: 'engine.ring_mb' cannot be -3" in err
        assert (err.count("\n"), out) == (1, "")
    assert not (folder / "new").exists()


def test_machines_get_the_error_too(
    command: Callable[[list[str]], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(["recover", "/nowhere", "--json"]) == 2
    out, err = capfd.readouterr()
    assert err.count("\n") == out.count("\n") == 1
    assert json.loads(out)["kind"] == "StorageError"
    assert json.loads(out)["error"] in err


def test_in_a_process_of_its_own(folder: Path) -> None:
    ran = beadscope("track", folder / "none.tif", "--out", folder / "new", code=2)
    assert (ran.out, ran.err.count("\n")) == ("", 1)
    assert not (folder / "new").exists()


def test_verbose_shows_the_traceback(
    command: Callable[[list[str]], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(["recover", "/nowhere", "--verbose"]) == 2
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("beadscope: ")
