"""`beadscope batch fit`: a curve through every trace of a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_beadscope.batch.flags import Flag, change_flags
from tests.cli.conftest import beadscope

HOUR_S = 3600.0


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch's folder with the table of cells that fade, each in its own time."""
    (tmp_path / "out" / "tables").mkdir(parents=True)
    rows, t = [], np.arange(40) * 600.0
    for position in ("a", "b"):
        for cell in range(3):
            light = 1000 + 5000 * np.exp(-t / (cell + 1) / HOUR_S)
            rows += [f"{position},{cell},{k},{t[k]:.3f},{light[k]:.4f},9" for k in range(40)]
        rows += [f"{position},3,{k},{t[k]:.3f},7,9" for k in range(40)]
    head = "position,cell,frame,time_s,intensity_total_c1,area_px"
    table = tmp_path / "out" / "tables" / "extract.csv"
    table.write_text("\n".join([head, *rows]) + "\n")
    return tmp_path / "out"


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_trace_gets_a_row_and_what_cannot_be_fitted_says_why(batch: Path) -> None:
    words = ("batch", "fit", batch, "--model", "exponential", "--y", "intensity_total_c1")
    data = beadscope(*words, "--json").data
    assert (data["traces"], data["trusted"]) == (8, 6)
    assert data["problems"] == {"the trace does not vary": 2}
    rows = rows_of(Path(data["table"]))
    assert [(row["position"], row["cell"]) for row in rows[:4]] == [("a", str(k)) for k in range(4)]
    for row in rows:
        if row["cell"] != "3":
            constant_s = (int(row["cell"]) + 1) * HOUR_S
            assert float(row["time_constant_s"]) == pytest.approx(constant_s, rel=1e-4)
            assert float(row["time_constant_s_error"]) < 1.0
            assert float(row["r_squared"]) > 0.999
            assert row["problem"] == ""
    with Image.open(data["picture"]) as picture:
        assert len(set(picture.convert("L").tobytes())) > 50
    again = beadscope(*words, code=2)
    assert "is there already" in again.err
    first = Path(data["table"]).read_bytes()
    beadscope(*words, "--overwrite", "--no-picture")
    assert Path(data["table"]).read_bytes() == first


def test_what_is_flagged_as_bad_is_left_out(batch: Path) -> None:
    change_flags(batch, {("a", "cell", 3): Flag(False), ("b", "cell", 3): Flag(False, "dust")})
    words = ("batch", "fit", batch, "--model", "exponential", "--y", "intensity_total_c1")
    assert beadscope(*words, "--json", "--no-picture").data["traces"] == 6
    assert "2 flagged as bad left out" in beadscope(*words, "--no-picture", "--overwrite").out
    every = beadscope(*words, "--json", "--no-picture", "--all", "--overwrite").data
    assert every["traces"] == 8


def test_pulls_in_a_table_of_ones_own(tmp_path: Path) -> None:
    from napari_beadscope.analysis.fits import find_model

    force = np.geomspace(0.1, 10, 30)
    dna = {"contour_nm": 900.0, "persistence_nm": 45.0, "stretch_pn": 1000.0, "offset_nm": 0.0}
    nm = find_model("worm-like-chain").value(force, {**dna, "temperature_k": 298.15})
    lines = [f"{bead},{f:.6f},{z:.4f}" for bead in (4, 7) for f, z in zip(force, nm)]
    table = tmp_path / "pulls.csv"
    table.write_text("\n".join(["bead,force_pn,extension_nm", *lines]) + "\n")
    words = ("batch", "fit", table, "--model", "worm-like-chain", "--fix", "stretch_pn=1000")
    data = beadscope(*words, "--bound", "persistence_nm=10:100", "--json").data
    assert data["trusted"] == 2
    assert data["values"]["contour_nm"]["median"] == pytest.approx(900, rel=1e-3)
    assert [row["bead"] for row in rows_of(Path(data["table"]))] == ["4", "7"]
    assert table.read_text().startswith("bead,force_pn")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "parabola"), "no curve 'parabola': use exponential"),
        (("--model", "exponential"), "say which with --y: position, cell"),
        (("--model", "growth", "--y", "mass"), "no table of {batch} has 'mass'"),
        (("--model", "growth", "--y", "area_px", "--table", "none"), "it has extract"),
        (("--model", "growth", "--y", "area_px", "--x", "t"), "no column 't': give --x"),
        (("--model", "growth", "--y", "area_px", "--fix", "rate"), "is no NAME=VALUE"),
        (("--model", "growth", "--y", "area_px", "--bound", "rate_per_h=1"), "is no range"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_a_sentence(
    batch: Path, words: tuple[str, ...], sentence: str
) -> None:
    ran = beadscope("batch", "fit", batch, *words, code=2)
    assert sentence.format(batch=batch) in ran.err
    assert not (batch / "fits").exists()


def test_a_table_without_times_says_what_to_give(batch: Path) -> None:
    table = batch / "tables" / "extract.csv"
    lines = table.read_text().splitlines()
    cut = [line.split(",") for line in lines[1:]]
    table.write_text(
        "\n".join([lines[0], *(",".join([*c[:3], "nan", *c[4:]]) for c in cut)]) + "\n"
    )
    ran = beadscope("batch", "fit", batch, "--model", "growth", "--y", "area_px", code=2)
    assert "does not know any time_s: give the plan's frame_interval_s" in ran.err
