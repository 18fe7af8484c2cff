"""What plots show, computed: drift taken off, windows, motors, recordings, frames, tables."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import (
    TRACK_ROW,
    AcquisitionMode,
    Bead,
    FrameFormat,
    FrameStamp,
    MotorInfo,
    Reason,
    Roi,
)
from napari_beadscope.script.instruments import MotorReading
from napari_beadscope.storage import Manifest, RecordingWriter
from napari_beadscope.tracking import ZLut
from napari_beadscope.ui.plots import frames, statistics, traces
from napari_beadscope.ui.plots.figure import Figure, Kind, Request, Table
from napari_beadscope.ui.plots.history import History
from napari_beadscope.ui.plots.palette import BEADS
from napari_beadscope.ui.plots.samples import Quantity, Samples
from napari_beadscope.ui.plots.sources import LiveSource, RecordedSource
from napari_beadscope.ui.plots.tables import save_csv

RATE_HZ = 100.0
N = 3000
NM_PER_PX = 50.0
DRIFT_NM = 300 * np.sin(np.arange(N) / 500)


class Motors:
    """A scope with a magnet that rises by 0.1 mm/s."""

    began_ns = 0

    def motors(self) -> tuple[MotorReading, ...]:
        return (MotorReading(MotorInfo("magnet", "m", "mm", 0, 10), 1.0, 1.0, False, 0),)

    def motor_history(self, motor: str, since_ns: int = 0) -> np.ndarray:
        samples = np.zeros(301, [("time_ns", "<i8"), ("value", "<f8")])
        samples["time_ns"] = self.began_ns + np.arange(301) * 100_000_000
        samples["value"] = np.arange(301) * 0.01
        return samples


def tracked(beads: int = 4) -> np.ndarray:
    """30 s of beads that all drift; bead b is at 100 b px with noise of (b + 1) nm."""
    rng = np.random.default_rng(0)
    rows = np.zeros(N * beads, TRACK_ROW)
    frame = np.repeat(np.arange(N), beads)
    bead = np.tile(np.arange(beads), N)
    rows["seq"] = rows["frame"] = frame
    rows["time_ns"] = frame * int(1e9 / RATE_HZ)
    rows["bead"] = bead
    noise = rng.normal(0, 1, (len(rows), 3)) * (bead + 1)[:, np.newaxis]
    rows["x_px"] = 100 * bead + (noise[:, 0] + DRIFT_NM[frame]) / NM_PER_PX
    rows["y_px"] = 50 + (noise[:, 1] - DRIFT_NM[frame]) / NM_PER_PX
    rows["z_nm"] = 1000 + noise[:, 2] + 2 * DRIFT_NM[frame]
    rows["quality"] = 0.9
    return rows


def live_source(rows: np.ndarray | None = None, own: Samples | None = None) -> LiveSource:
    rows = tracked() if rows is None else rows
    began_ns = time.monotonic_ns() - int(N / RATE_HZ * 1e9)
    rows["time_ns"] += began_ns
    history = History(frames=N + 100, beads=10)
    history.add(rows)
    scope = Motors()
    scope.began_ns = began_ns
    port: Any = scope
    return LiveSource(history, port, own or Samples(), lambda: NM_PER_PX)


def of(kind: Kind, **values: Any) -> Request:
    given = {"beads": (0, 1), "stop_s": 30.0, "columns": 500, **values}
    return Request(kind, **given)


def test_time_plot_of_beads() -> None:
    figure = traces.time_figure(live_source(), of(Kind.TIME, place="measured"))
    assert [panel.up for panel in figure.panels] == ["x (nm)", "y (nm)", "z (nm)"]
    assert figure.across == "time (s)"
    assert figure.span == (0.0, 30.0)
    assert figure.beads == (0, 1)
    x0, x1 = figure.panels[0].curves
    assert np.median(x1.y) == pytest.approx(5000, abs=300)
    assert (x0.colour, x1.colour) == (0, 1)
    assert len(x0.x) <= 2 * 500 + 4
    assert np.ptp(x0.y) == pytest.approx(600, abs=20)
    assert figure.words == "3,000 frames"


def test_drift_is_taken_off_by_references() -> None:
    source = live_source()
    figure = traces.time_figure(source, of(Kind.TIME, beads=(0,), references=(2, 3), columns=9999))
    assert "less the drift of the median of beads 2, 3" in figure.words
    for panel, curve in ((panel, panel.curves[0]) for panel in figure.panels):
        assert len(panel.curves) == 1
        assert curve.y.std() < 4.0, panel.up  # 1 nm of its own, 2.5 of two references
    raw = traces.time_figure(source, of(Kind.TIME, beads=(0,), columns=9999))
    assert raw.panels[2].curves[0].y.std() > 300
    gone = traces.time_figure(source, of(Kind.TIME, references=(9,)))
    assert "no reference bead is tracked: not corrected" in gone.words


def test_curves_apart_do_not_overlap() -> None:
    figure = traces.time_figure(live_source(), of(Kind.TIME, place="apart", references=(3,)))
    first, second = figure.panels[0].curves
    assert first.y.min() > second.y.max()


def test_a_window_and_doubtful_rows() -> None:
    rows = tracked()
    rows["reason"][(rows["frame"] >= 2000) & (rows["frame"] < 2100)] = Reason.OUT_OF_RANGE
    rows["z_nm"] = np.nan
    source = live_source(rows)
    figure = traces.time_figure(source, of(Kind.TIME, start_s=20.0, stop_s=22.0, columns=5000))
    assert figure.words.startswith("201 frames · 50 % of the rows cannot be trusted: left out")
    assert "no z: choose a Z-LUT" in figure.words
    gap = figure.panels[0].curves[0]
    assert np.isnan(gap.y[(gap.x > 20.001) & (gap.x < 20.995)]).all()
    nothing = traces.time_figure(source, of(Kind.TIME, start_s=90.0, stop_s=95.0))
    assert nothing.words == traces.NOTHING


def test_motors_and_own_quantities_against_time_and_against_beads() -> None:
    own = Samples()
    source = live_source(own=own)
    for tenth in range(300):
        now_ns = time.monotonic_ns() - int((30 - tenth / 10) * 1e9)
        own.add(Quantity("room", "°C", own=True), now_ns, 20 + tenth / 100)
    assert [one.label for one in source.quantities] == ["magnet (mm)", "room (°C)"]
    figure = traces.time_figure(source, of(Kind.TIME, rows=("z", "magnet", "room")))
    assert [panel.up for panel in figure.panels] == ["Δz (nm)", "magnet (mm)", "room (°C)"]
    magnet, room = figure.panels[1].curves[0], figure.panels[2].curves[0]
    assert np.interp(10.0, magnet.x, magnet.y) == pytest.approx(1.0, abs=0.02)
    assert np.interp(10.0, room.x, room.y) == pytest.approx(21.0, abs=0.02)
    figure = traces.relation_figure(source, of(Kind.RELATION, across="magnet", up="x"))
    assert (figure.across, figure.panels[0].up) == ("magnet (mm)", "Δx (nm)")
    assert not figure.equal
    cloud = figure.panels[0].curves[0]
    assert cloud.style == "dots"
    there = np.isfinite(cloud.x)
    expected = np.interp(cloud.x[there] * 10, np.arange(N) / RATE_HZ, DRIFT_NM)
    assert np.corrcoef(cloud.y[there], expected)[0, 1] > 0.99


def test_one_coordinate_against_another_is_drawn_to_scale() -> None:
    figure = traces.relation_figure(live_source(), of(Kind.RELATION, beads=(0, 1, 2, 3)))
    assert figure.equal
    assert sum(len(curve.x) for curve in figure.panels[0].curves) <= 12_000
    x, y = figure.panels[0].curves[0].x, figure.panels[0].curves[0].y
    assert np.polyfit(x, y, 1)[0] == pytest.approx(-1.0, abs=0.01)


def test_allan_deviation_and_spectrum_are_in_nanometres() -> None:
    source = live_source()
    request = of(Kind.ALLAN, axis="x", beads=(1,), references=(2, 3))
    figure = statistics.allan_figure(source, request)
    curve = figure.panels[0].curves[0]
    assert curve.y[0] == pytest.approx(np.hypot(2.0, 2.5), rel=0.1)
    assert curve.low is not None
    assert (curve.low < curve.y).all()
    assert figure.log_across
    assert figure.panels[0].log_up
    assert "30.0 s at 100 Hz" in figure.words
    assert "less the drift" in figure.words
    figure = statistics.spectrum_figure(source, of(Kind.SPECTRUM, axis="x", beads=(0,)))
    density = figure.panels[0].curves[0]
    assert density.y[density.x > 10].mean() == pytest.approx(1.0 / (RATE_HZ / 2), rel=0.2)
    nothing = statistics.allan_figure(source, of(Kind.ALLAN, beads=(77,)))
    assert nothing.words == traces.NOTHING


def test_statistics_know_about_missing_frames() -> None:
    rows = tracked()
    rows = rows[(rows["frame"] % 7 != 3) | (rows["frame"] > 2900)]
    figure = statistics.allan_figure(live_source(rows), of(Kind.ALLAN, beads=(0,), axis="y"))
    assert "at 100 Hz" in figure.words
    assert figure.panels[0].curves[0].x[0] == pytest.approx(0.01, rel=1e-3)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    beads = (Bead(4, Roi(10, 20, 16)), Bead(7, Roi(40, 30, 16)))
    manifest = Manifest.new(
        mode=AcquisitionMode.TRACK, format=FrameFormat(64, 80, "uint8"), beads=beads, fps=100
    )
    numbers = [*range(100), *range(120, 200)]
    with RecordingWriter.create(tmp_path / "r", manifest) as writer:
        stamps = [FrameStamp(5000 + n, n * 10_000_000) for n in numbers]
        writer.write_frames(np.ones((len(numbers), 64, 80), np.uint8), stamps)
        rows = np.zeros(2 * len(numbers), TRACK_ROW)
        rows["frame"] = np.repeat([5000 + n for n in numbers], 2)
        rows["time_ns"] = np.repeat([n * 10_000_000 for n in numbers], 2)
        rows["bead"] = [4, 7] * len(numbers)
        rows["x_px"] = np.repeat(numbers, 2) / 1000 + rows["bead"]
        rows["y_px"], rows["z_nm"], rows["quality"] = 17.5, 900.0, 0.9
        rows["reason"][:20] = Reason.Z_OUT_OF_RANGE
        writer.write_tracks(rows)
        writer.finish()
    return tmp_path / "r"


def test_a_recording_is_plotted_in_full_resolution(recording: Path) -> None:
    source = RecordedSource.of_folder(recording)
    assert source.beads == (4, 7)
    assert source.span_s == (0.0, pytest.approx(1.99))
    seen = source.traces((7,), 0.5, 1.3)
    assert seen.frame.tolist() == [*range(50, 100), *range(120, 131)]
    assert seen.rate_hz == pytest.approx(100.0)
    figure = traces.time_figure(
        source, of(Kind.TIME, beads=(7, 4), stop_s=1.99, columns=999, place="measured")
    )
    x = figure.panels[0].curves[0]
    assert x.y[1] - x.y[0] == pytest.approx(0.1)  # 100 nm per px is what recordings assume
    z = figure.panels[2].curves[1]
    assert np.isnan(z.y[:10]).all()
    assert (z.y[10:] == 900).all()


def test_tracks_of_a_layer() -> None:
    vertices = np.array([[1, 0, 10.0, 20.0], [1, 1, 11.0, 20.0], [2, 0, 5.0, 5.0]])
    features = {"time_s": np.array([0.0, 0.1, 0.0]), "z_nm": np.array([1.0, 2.0, 3.0])}
    source = RecordedSource.of_layer(vertices, features, 50.0)
    seen = source.traces((1,), 0.0, 1.0)
    assert seen.xyz_nm[0].tolist() == [[1000.0, 1000.0], [500.0, 550.0], [1.0, 2.0]]


def test_tables_have_every_row_with_units(recording: Path, tmp_path: Path) -> None:
    source = RecordedSource.of_folder(recording)
    table = traces.time_table(source, of(Kind.TIME, beads=(4,), stop_s=1.99, columns=10))
    path = tmp_path / "plot.csv"
    assert save_csv(table, path) == 180
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["frame", "time_s", "bead", "x_nm", "y_nm", "z_nm", "quality"]
    assert rows[1][:3] == ["0", "0", "4"]
    assert rows[1][5] == ""
    assert float(rows[-1][3]) == pytest.approx(419.9)
    with pytest.raises(InputError, match=r"exists: choose another name"):
        save_csv(table, path)
    save_csv(table, path, overwrite=True)
    with pytest.raises(StorageError, match="cannot write"):
        save_csv(table, tmp_path / "nowhere" / "plot.csv")
    with pytest.raises(InputError, match="nothing to save"):
        save_csv(Table(), tmp_path / "empty.csv")
    assert not (tmp_path / "empty.csv").exists()


def test_tables_say_what_was_corrected_and_name_quantities() -> None:
    source = live_source()
    request = of(Kind.TIME, references=(3,), rows=("x", "magnet"))
    names = list(traces.time_table(source, request).columns)
    assert "x_corrected_nm" in names
    assert "magnet (mm)" in names
    request = of(Kind.RELATION, across="magnet", up="z")
    assert list(traces.relation_table(source, request).columns) == [
        "time_s", "bead", "magnet (mm)", "Δz (nm)",
    ]  # fmt: skip
    table = statistics.allan_table(source, of(Kind.ALLAN, axis="z"))
    assert "allan_deviation_z_nm" in table.columns
    assert len({len(values) for values in table.columns.values()}) == 1
    table = statistics.spectrum_table(source, of(Kind.SPECTRUM, axis="z"))
    assert "density_z_nm2_per_hz" in table.columns
    assert len({len(values) for values in table.columns.values()}) == 1


def histogram(image: np.ndarray | None, **values: Any) -> Figure:
    there = frames.Frames(lambda: image, lambda bead: None, (Bead(0, Roi(0, 0, 16)),))
    return frames.histogram_figure(there, of(Kind.HISTOGRAM, **values))


def test_saturation_is_told_in_words() -> None:
    image = np.full((100, 100), 100, np.uint8)
    figure = histogram(image)
    assert figure.words == "None saturated; median 100, brightest 100 = 39 % of full scale"
    assert figure.tone == "ok"
    image[50:52, :15] = 255
    figure = histogram(image)
    assert figure.words.startswith("Saturated: 0.3 % of the pixels are at 255. Shorten the exp")
    assert figure.tone == "bad"
    assert figure.panels[0].marks[0].at == 255
    assert histogram(image, region="beads", beads=(0,)).tone == "ok"
    image[50:52, :15] = 100
    image[99, 99] = 255
    assert histogram(image).tone == "warn"
    assert histogram(None).words == frames.NO_FRAME


def zlut() -> ZLut:
    z_nm = np.arange(0.0, 1000.0, 50.0)
    radius = np.arange(32)
    return ZLut(z_nm, 100 + 20 * np.cos(radius[None] / (3 + z_nm[:, None] / 400)))


def test_a_profile_lies_on_its_plane_of_the_zlut() -> None:
    lut = zlut()
    shown = (0.5 * (lut.profiles[7] + lut.profiles[8]) * 1.5 + 7).astype(np.float32)
    row = frames.Measured(shown[:24], 375.0, 0)
    there = frames.Frames(lambda: None, lambda bead: row, (), lambda: lut)
    figure = frames.profile_figure(there, of(Kind.PROFILE, beads=(3,)))
    live, plane = figure.panels[0].curves
    assert live.y == pytest.approx(plane.y, abs=0.5)
    assert figure.panels[1].picture is not None
    assert figure.panels[1].marks[0].at == pytest.approx(0.375)
    assert figure.words == "Bead 3: z = 375.0 nm; dashed: the Z-LUT there"
    columns = frames.profile_table(there, of(Kind.PROFILE, beads=(3,))).columns
    assert list(columns) == ["radius_px", "profile_counts", "zlut_plane_counts"]


def test_a_profile_says_what_is_missing() -> None:
    def words(row: frames.Measured | None) -> str:
        there = frames.Frames(lambda: None, lambda bead: row)
        return frames.profile_figure(there, of(Kind.PROFILE, beads=(3,))).words

    assert words(None) == "No bead is tracked: find or add some"
    assert words(frames.Measured(np.empty(0, np.float32), 0.0, 0)).endswith(
        "comes without its profile; set tracking.profiles"
    )
    assert "it is lost" in words(frames.Measured(np.full(9, np.nan, np.float32), 0.0, 5))
    assert words(frames.Measured(np.ones(9, np.float32), np.nan, 6)) == (
        "Bead 3: no Z-LUT to compare with · doubtful (z_out_of_range)"
    )


def test_a_zlut_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "lut.txt"
    zlut().save(path)
    file = frames.ZLutFile()
    first = file.load(str(path))
    assert file.load(str(path)) is first
    assert file.load("") is None
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        file.load(str(path))


def test_colours_stand_out_in_both_themes() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in BEADS:
        for ground in ("#23242b", "#ebe7e6", "#ffffff"):
            light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 3.0, (colour, ground)
    assert len(set(BEADS)) == len(BEADS)
