"""motors.csv: what is written is read, once, also after a kill; positions at frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import FrameFormat, FrameStamp
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording
from napari_beadscope.storage.motor_table import MOTORS_NAME
from napari_beadscope.storage.recover import recover

SAMPLE = [("time_ns", "<i8"), ("value", "<f8")]
FIRST_NS = 5_000_000_000
FRAMES = np.zeros((5, 8, 8), "uint8")
STAMPS = [FrameStamp(7 + k, FIRST_NS + k * 100_000_000) for k in range(5)]


def samples(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array([(FIRST_NS + round(s * 1e9), value) for s, value in pairs], SAMPLE)


@pytest.fixture
def writer(tmp_path: Path) -> RecordingWriter:
    manifest = Manifest.new(mode="full", format=FrameFormat(8, 8, "uint8"))
    made = RecordingWriter.create(tmp_path / "one", manifest)
    made.write_frames(FRAMES, STAMPS)
    return made


def test_positions_are_read_at_the_frames(writer: RecordingWriter) -> None:
    writer.write_motors([
        ("magnet", "mm", samples((-0.05, 1.0), (0.1, 1.0), (0.3, 5.0))),
        ("temperature", "°C", samples((0.0, 25.01))),
    ])  # fmt: skip
    writer.write_motors([("magnet", "mm", samples((0.35, 5.0)))])
    writer.finish()
    recording = open_recording(writer.folder)
    assert (recording.folder / MOTORS_NAME).read_text(encoding="utf-8").splitlines() == [
        "time_s,motor,position,unit",
        "-0.050000,magnet,1.000000,mm",
        "0.000000,temperature,25.010000,°C",
        "0.100000,magnet,1.000000,mm",
        "0.300000,magnet,5.000000,mm",
        "0.350000,magnet,5.000000,mm",
    ]
    assert recording.motor_positions("magnet") == pytest.approx([1, 1, 3, 5, 5])
    assert recording.motor_positions("temperature", np.array([9.0])) == pytest.approx([25.01])
    assert set(recording.motors["unit"]) == {"mm", "°C"}
    record = next(file for file in recording.manifest.files if file.kind == "motors")
    assert (record.name, record.frames) == (MOTORS_NAME, 5)
    assert record.bytes == (recording.folder / MOTORS_NAME).stat().st_size
    with pytest.raises(StorageError, match=r"no motor 'focus': it has magnet, temperature"):
        recording.motor_positions("focus")


def test_without_motors_there_is_no_file(writer: RecordingWriter) -> None:
    writer.write_motors([("magnet", "mm", samples())])
    writer.finish()
    recording = open_recording(writer.folder)
    assert not (writer.folder / MOTORS_NAME).exists()
    assert len(recording.motors) == 0
    with pytest.raises(StorageError, match="no motor 'magnet': it has none"):
        recording.motor_positions("magnet")


def test_a_successor_goes_on_after_the_last_whole_line(writer: RecordingWriter) -> None:
    assert writer.motors_after_ns() == 0
    writer.write_motors([("magnet", "mm", samples((0.1, 1.0), (0.2, 2.0)))])
    writer.close()
    with open(writer.folder / MOTORS_NAME, "ab") as file:
        file.write(b"0.3000,mag")  # killed in the middle of a line
    with RecordingWriter.resume(writer.folder) as again:
        after_ns = again.motors_after_ns()
        assert FIRST_NS + 200_000_000 < after_ns < FIRST_NS + 200_010_000
        again.write_motors([("magnet", "mm", samples((0.3, 3.0)))])
    motors = open_recording(writer.folder).motors
    assert motors["position"].tolist() == [1.0, 2.0, 3.0]


def test_recovery_cuts_a_torn_line_off_and_keeps_the_rest(writer: RecordingWriter) -> None:
    writer.write_motors([("magnet", "mm", samples((0.1, 1.0), (0.2, 2.0)))])
    writer.close()
    with open(writer.folder / MOTORS_NAME, "ab") as file:
        file.write(b"0.3000,mag")
    report = recover(writer.folder)
    assert "motors.csv ended in a torn line of 10 bytes" in report.sentence
    recording = open_recording(writer.folder)
    assert recording.motors["position"].tolist() == [1.0, 2.0]
    assert any(file.kind == "motors" and file.frames == 2 for file in recording.manifest.files)
    assert "nothing had to be repaired" in recover(writer.folder).sentence


def test_odd_units_and_values_do_not_break_the_table(writer: RecordingWriter) -> None:
    odd = samples((0.0, np.nan), (0.1, 1e300), (0.2, -np.inf))
    writer.write_motors([("odd one.µ+", 'a,"b"\n#', odd)])
    writer.finish()
    motors = open_recording(writer.folder).motors
    assert set(motors["motor"]) == {"odd one.µ+"}
    assert motors["position"][1] == 1e300


def test_a_recording_is_not_begun_over_an_old_motors_file(tmp_path: Path) -> None:
    (tmp_path / MOTORS_NAME).write_text("mine")
    with pytest.raises(StorageError, match=r"already holds a recording \(motors.csv\)"):
        RecordingWriter.create(
            tmp_path, Manifest.new(mode="full", format=FrameFormat(8, 8, "uint8"))
        )
    assert (tmp_path / MOTORS_NAME).read_text() == "mine"
