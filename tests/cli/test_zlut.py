"""`beadscope zlut build | convert | show`, as a terminal runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import ZLut
from napari_beadscope.tracking.zlut_formats import read_radialzlut

from .conftest import beadscope

Z = np.arange(-1000.0, 1001.0, 100.0)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of one ROI, one with three frames a height, and one of a full frame."""
    place = tmp_path_factory.mktemp("sweeps")
    rng = np.random.default_rng(0)
    middle = np.full(len(Z), 31.6)
    one = rings(middle, middle, Z, 64)

    def write(name: str, stack: np.ndarray) -> None:
        noisy = np.clip(np.rint(stack + rng.normal(0, 1.5, stack.shape)), 0, 255)
        tifffile.imwrite(place / name, noisy.astype(np.uint8), photometric="minisblack")

    write("roi.tif", one)
    write("thrice.tif", np.repeat(one, 3, axis=0))
    full = np.full((len(Z), 120, 260), 100.0)
    for number, (y, x) in enumerate([(20, 20), (25, 110), (30, 190)]):
        shifted = Z + (-40.0, 0.0, 40.0)[number]
        full[:, y : y + 64, x : x + 64] = rings(middle, middle, shifted, 64)
    write("full.tif", full)
    (place / "beads.csv").write_text("bead,y_px,x_px\n3,51.5,51.5\n5,56.5,141.5\n8,61.5,221.5\n")
    np.savetxt(place / "heights.txt", Z)
    (place / "heights.csv").write_text(
        "frame,z_nm\n" + "".join(f"{k},{z}\n" for k, z in enumerate(Z))
    )
    return place


def test_one_bead(sweeps: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "zlut.txt", tmp_path / "zlut.png"
    ran = beadscope(
        "zlut", "build", sweeps / "roi.tif", "--z-nm=-1000:1000:100", "--out", out, "--plot", plot
    )
    assert "usable" in ran.out
    assert "21 of 21 used" in ran.out
    lut = ZLut.load(out)
    assert (lut.planes, lut.radial_step_px, lut.size_px) == (21, 0.25, 64)
    np.testing.assert_array_equal(lut.z_nm, Z)
    assert plot.stat().st_size > 10_000
    shown = beadscope("zlut", "show", out, "--json").data
    assert shown["planes"] == 21
    assert shown["noise_known"]
    assert shown["pixel_noise"] == pytest.approx(1.53, rel=0.1)
    assert shown["usable_low_nm"] < -800
    assert 0 < shown["zlut_error_nm"] < shown["sigma_z_worst_nm"]
    assert "own error" in beadscope("zlut", "show", out).out
    assert 0 < shown["sigma_z_best_nm"] <= shown["sigma_z_worst_nm"] < 10
    noisier = beadscope("zlut", "show", out, "--json", "--noise", "15").data
    assert noisier["sigma_z_worst_nm"] > 5 * shown["sigma_z_worst_nm"]


@pytest.mark.parametrize("heights", ["heights.txt", "heights.csv"])
def test_heights_from_a_file(sweeps: Path, tmp_path: Path, heights: str) -> None:
    out = tmp_path / "zlut.txt"
    beadscope("zlut", "build", sweeps / "roi.tif", "--z-nm", sweeps / heights, "--out", out)
    np.testing.assert_array_equal(ZLut.load(out).z_nm, Z)


def test_frames_held_at_a_height(sweeps: Path, tmp_path: Path) -> None:
    out = tmp_path / "zlut.txt"
    build = ("zlut", "build", sweeps / "thrice.tif", "--z-nm=-1000:1000:100", "--out", out)
    refused = beadscope(*build, code=2)
    assert "add --frames-per-height 3" in refused.err
    made = beadscope(*build, "--frames-per-height", 3, "--json").data["zluts"][0]
    assert (made["planes"], made["frames"]) == (21, 63)


def test_one_file_per_bead_and_one_for_all(sweeps: Path, tmp_path: Path) -> None:
    build = ("zlut", "build", sweeps / "full.tif", "--z-nm=-1000:1000:100", "--roi-size", 64)
    build += ("--beads", sweeps / "beads.csv", "--json")
    out = tmp_path / "zlut.txt"
    each = beadscope(*build, "--out", out, "--plot", tmp_path / "p.svg").data["zluts"]
    assert [one["bead"] for one in each] == [3, 5, 8]
    names = {"zlut_0003.txt", "zlut_0005.txt", "zlut_0008.txt"}
    assert names <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "p_0005.svg").is_file()
    assert not out.exists()
    by_itself = tmp_path / "found.txt"
    found = (*build[:4], "--beads", "auto", "--roi-size", 64, "--json", "--out", by_itself)
    assert len(beadscope(*found).data["zluts"]) == 3
    [shared] = beadscope(*build, "--out", out, "--shared").data["zluts"]
    assert shared["beads"] == [3, 5, 8]
    higher = shared["higher_nm"]
    assert higher["8"] - higher["3"] == pytest.approx(80, abs=8)
    assert ZLut.load(out).planes >= 19


@pytest.mark.parametrize("shared", [(), ("--shared",)])
def test_beads_that_are_not_swept_are_refused(tmp_path: Path, shared: tuple[str, ...]) -> None:
    """Beads that tremble in z, 100 nm a frame claimed: no height is told from another."""
    rng = np.random.default_rng(4)
    middle = np.full(60, 31.6)
    movie = np.full((60, 100, 200), 100.0)
    for x in (20, 110):
        movie[:, 20:84, x : x + 64] = rings(middle, middle, rng.normal(0, 5, 60), 64)
    noisy = np.clip(np.rint(movie + rng.normal(0, 2, movie.shape)), 0, 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "movie.tif", noisy, photometric="minisblack")
    build = ("zlut", "build", tmp_path / "movie.tif", "--z-nm", "0:5900:100", "--beads", "auto")
    ran = beadscope(*build, "--roi-size", 64, "--out", tmp_path / "new.txt", *shared, code=2)
    assert "no Z-LUT can be made of bead 0, nor of 1 of" in ran.err
    assert "stuck" in ran.err
    assert ran.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["movie.tif"]


def test_beads_left_out_are_named(sweeps: Path, tmp_path: Path) -> None:
    """With ROIs this large the beads touch each other's or the edge."""
    build = ("zlut", "build", sweeps / "full.tif", "--z-nm", "-1000:1000:100", "--beads", "auto")
    ran = beadscope(*build, "--roi-size", 80, "--out", tmp_path / "zlut.txt")
    assert "left out (ROIs of 80 px)" in ran.err
    assert " px" in ran.err.split("at y ", 1)[1]


def test_nothing_is_overwritten_unasked(sweeps: Path, tmp_path: Path) -> None:
    out = tmp_path / "zlut.txt"
    out.write_text("mine")
    build = ("zlut", "build", sweeps / "roi.tif", "--z-nm=-1000:1000:100", "--out", out)
    assert "is there already" in beadscope(*build, code=2).err
    assert out.read_text() == "mine"
    beadscope(*build, "--overwrite")
    before = out.read_bytes()
    assert "is what is read" in beadscope("zlut", "convert", out, out, code=2).err
    picture = tmp_path / "zlut.png"
    picture.write_text("mine")
    show = ("zlut", "show", out, "--plot", picture)
    assert "is there already" in beadscope(*show, code=2).err
    beadscope(*show, "--overwrite")
    assert out.read_bytes() == before


def test_qtrk_there_and_back(data_dir: Path, tmp_path: Path) -> None:
    real, out = data_dir / "mt_zluts_real.radialzlut", tmp_path / "zlut.txt"
    refused = beadscope("zlut", "convert", real, out, code=2)
    assert "400 planes of 96 radial steps" in refused.err
    assert "--z-nm" in refused.err
    told = ("--z-nm", "0:9975:25", "--radial-step-px", 1 / 3)
    made = beadscope("zlut", "convert", real, out, *told, "--json").data
    assert made["beads"] == 5
    assert len(list(tmp_path.glob("zlut_000?.txt"))) == 5
    beadscope("zlut", "convert", real, out, *told, "--bead", 2)
    lut = ZLut.load(out)
    assert lut.planes == 400
    beadscope("zlut", "convert", out, tmp_path / "back.radialzlut", "--radial-step-px", 1 / 3)
    back = read_radialzlut(tmp_path / "back.radialzlut")
    np.testing.assert_allclose(back[0], read_radialzlut(real)[2], atol=1e-4)
    assert "zlut convert" in beadscope("zlut", "show", real, code=2).err
    assert "no bead 9" in beadscope("zlut", "convert", real, out, *told, "--bead", 9, code=2).err


def test_bins_for_magtrack(sweeps: Path, tmp_path: Path) -> None:
    fine, coarse = tmp_path / "fine.txt", tmp_path / "coarse.txt"
    beadscope("zlut", "build", sweeps / "roi.tif", "--z-nm=-1000:1000:100", "--out", fine)
    beadscope("zlut", "convert", fine, coarse, "--magtrack")
    table = np.loadtxt(coarse)
    assert table.shape == (33, 21)
    np.testing.assert_allclose(table[1:].T, ZLut.load(fine).at_one_px(32))
    small = tmp_path / "small.txt"
    beadscope("zlut", "convert", fine, small, "--magtrack", "--roi-size", 48)
    assert np.loadtxt(small).shape == (25, 21)
    moved = tmp_path / "moved.txt"
    beadscope("zlut", "convert", fine, moved, "--z-nm", "0:2000:100")
    assert ZLut.load(moved).z_nm[-1] == 2000


BAD = {
    "no such stack": ("build {}/none.tif --z-nm 0:9:1 --out {}/new.txt", "there is no file"),
    "no range": ("build {}/roi.tif --z-nm 0:a:1 --out {}/new.txt", "no range of numbers"),
    "no step": ("build {}/roi.tif --z-nm 0:9:0 --out {}/new.txt", "has no end"),
    "wrong way": ("build {}/roi.tif --z-nm 9:0:1 --out {}/new.txt", "makes 0 heights"),
    "endless": ("build {}/roi.tif --z-nm 0:inf:1 --out {}/new.txt", "has no end"),
    "too few": ("build {}/roi.tif --z-nm 0:9:1 --out {}/new.txt", "21 frames, but --z-nm gives 10"),
    "no heights": ("build {}/roi.tif --z-nm {}/none.txt --out {}/new.txt", "no file of heights"),
    "heights of words": ("build {}/roi.tif --z-nm {}/words.txt --out {}/new.txt", "line 2 holds"),
    "picture as heights": ("build {}/roi.tif --z-nm {}/roi.tif --out {}/new.txt", "text file"),
    "full frames": ("build {}/full.tif --z-nm 0:2000:100 --out {}/new.txt", "--beads FILE.csv"),
    "no folder": ("build {}/roi.tif --z-nm 0:2000:100 --out {}/no/new.txt", "there is no folder"),
    "a folder": ("build {}/roi.tif --z-nm 0:2000:100 --out {}", "is a folder"),
    "bead outside": (
        "build {}/full.tif --z-nm 0:2000:100 --beads {}/beads.csv --roi-size 128 --out {}/new.txt",
        "the frame of 120",
    ),
    "picture of a kind": (
        "build {}/roi.tif --z-nm 0:2000:100 --out {}/new.txt --plot {}/p.doc", "end its name",
    ),
    "one height": ("build {}/roi.tif --z-nm {}/same.txt --out {}/new.txt", "1 of 1 heights"),
    "no table": ("show {}/words.txt", "not a table"),
    "heights as zlut": ("show {}/heights.csv", "line 1 holds 'frame' in place of a number"),
    "negative noise": ("show {}/good.txt --noise -1", "give a number above 0"),
    "no zlut": ("convert {}/none.txt {}/new.txt", "does not exist"),
    "other heights": ("convert {}/good.txt {}/new.txt --z-nm 0:5:1", "6 heights"),
    "too far": ("convert {}/good.txt {}/new.txt --magtrack --roi-size 90", "need 44 px"),
    "truncated": ("convert {}/cut.radialzlut {}/new.txt --z-nm 0:9:1 --radial-step-px 1", "bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_told_in_one_sentence(sweeps: Path, name: str) -> None:
    (sweeps / "words.txt").write_text("100\nhigh\n")
    (sweeps / "same.txt").write_text("100\n" * 21)
    (sweeps / "cut.radialzlut").write_bytes(np.array([1, 9, 20], "<i4").tobytes() + bytes(100))
    ZLut(np.arange(9.0), np.random.default_rng(0).random((9, 32))).save(sweeps / "good.txt")
    words, says = BAD[name]
    ran = beadscope("zlut", *words.replace("{}", str(sweeps)).split(), code=2)
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert not (sweeps / "new.txt").exists()
