"""A Z-LUT from a live focus sweep, on the real engine with the simulated microscope."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from napari_beadscope.core.errors import BeadscopeError, DeviceError, InputError, StateError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope, sweep
from napari_beadscope.storage import open_recording
from napari_beadscope.tracking import ZLut

ROI_PX = 48
OPTIONS = {"height_px": 160, "width_px": 224, "beads": 3, "fps": 200, "seed": 5}
QUIET = {"brownian": False, "noise": False, "drift_nm": 0.0, "drift_z_nm": 0.0}
SHORT = {"low_um": -0.5, "high_um": 0.5, "step_nm": 100.0, "frames_per_step": 3}
SETTINGS = {"engine.ring_mb": 64}
START_UM = 0.25


def beads_of(options: dict[str, Any]) -> tuple[Bead, ...]:
    places = SimulatedMicroscope(options).bead_positions_px()
    return tuple(Bead(k + 4, Roi.around(y, x, ROI_PX)) for k, (x, y) in enumerate(places))


@pytest.fixture(scope="module")
def sweeping() -> Iterator[Scope]:
    """An engine with beads and a focus motor that is not at 0; the camera is off."""
    scope = Scope("simulated", options=OPTIONS, settings=SETTINGS)
    scope.add_hardware("focus", "simulated-focus", start=START_UM)
    scope.add_hardware("slow", "simulated-focus", speed=0.4)
    scope.add_hardware("idle", "simulated-focus")
    with scope:
        scope.start_live()
        scope.set_beads(beads_of(OPTIONS))
        scope.set_xy_lock()  # starts the process of the locks
        scope.set_xy_lock(False)
        yield scope


@pytest.fixture
def other(sweeping: Scope) -> Iterator[Scope]:
    """Another front end of the same engine."""
    attached = sweeping.again()
    yield attached
    attached.detach()


def focus(scope: Scope) -> float:
    return scope.motor_positions()["focus"]


@pytest.mark.timeout(180)
def test_a_sweep_ends_in_a_working_z(sweeping: Scope, tmp_path: Path) -> None:
    sweeping.stop_live()
    planes: list[sweep.SweptPlane] = []
    told: list[float] = []
    swept = sweeping.sweep_zlut(
        low_um=-0.6,
        high_um=0.6,
        frames_per_step=12,
        folder=tmp_path / "new" / "zluts",
        on_plane=planes.append,
        progress=lambda done, total, text: told.append(done / total),
    )
    assert focus(sweeping) == START_UM
    assert [plane.number for plane in planes] == list(range(1, 26))
    assert [plane.focus_um for plane in planes] == pytest.approx(
        (START_UM - 0.6 + 0.05 * np.arange(25)).tolist()
    )
    assert planes[0].z_nm == pytest.approx(600.0)
    assert all(set(plane.frames.values()) == {12} for plane in planes)
    assert all(len(profile) == ROI_PX // 2 for profile in planes[3].profiles.values())
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert not swept.failed
    assert sorted(swept.files) == [4, 5, 6]
    assert {path.name for path in swept.zlut.parent.iterdir()} == {
        "zlut.txt", "zlut.png", "sweep.yaml", "zlut_0004.txt", "zlut_0005.txt", "zlut_0006.txt",
    }  # fmt: skip
    assert sweeping.calibration.zlut == str(swept.zlut)
    assert ZLut.load(swept.zlut).planes > 15
    said = yaml.safe_load((swept.zlut.parent / "sweep.yaml").read_text())
    assert said["common"]["beads"] == [4, 5, 6]
    assert said["start_um"] == START_UM

    tracks = open_recording(sweeping.record(tmp_path / "r", "track", seconds=1.5))
    first = tracks.manifest.first_frame or 0
    rows = tracks.tracks
    assert (rows["reason"] == 0).mean() > 0.99
    truth = SimulatedMicroscope(OPTIONS).truth(rows["frame"] + first, START_UM)
    z_nm = truth[np.arange(len(rows)), rows["bead"] - 4, 2]
    off = rows["z_nm"] - z_nm
    off -= np.nanmean(off)  # z = 0 is where the beads were at the start
    assert float(np.sqrt(np.nanmean(off**2))) < 5.0
    assert np.nanstd(z_nm) > 50.0  # of what the beads do and how they differ
    with pytest.raises(InputError, match="exists already: choose a new folder"):
        sweeping.sweep_zlut(folder=swept.zlut.parent)


def test_every_frame_is_exposed_after_the_focus_has_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without noise a frame tells where the focus was."""
    options = OPTIONS | QUIET
    caught: list[Any] = []

    def catch(captured: Any, *_: Any) -> None:
        caught.append(captured)
        raise StateError("seen enough")

    monkeypatch.setattr(sweep, "build_swept", catch)
    scope = Scope("simulated", options=options, settings=SETTINGS)
    scope.add_hardware("focus", "simulated-focus", speed=3.0)
    beads = beads_of(options)
    with scope:
        scope.start_live()
        scope.set_beads(beads)
        with pytest.raises(StateError, match="seen enough"):
            scope.sweep_zlut([6, 4], folder=tmp_path, **SHORT, settle_s=0.0)
        assert focus(scope) == 0.0
    (captured,) = caught
    assert captured.crops.shape == (33, 2, ROI_PX, ROI_PX)
    microscope = SimulatedMicroscope(options)
    for place, position in enumerate(captured.plan.positions_um):
        image = microscope.render(0, float(position))
        for row, bead in enumerate((beads[2], beads[0])):
            for crop in captured.crops[3 * place : 3 * place + 3, row]:
                np.testing.assert_array_equal(crop, bead.roi.crop(image))
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_sweep_brings_the_focus_back(sweeping: Scope, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(StateError, match="cancelled: nothing was written"):
        sweeping.sweep_zlut(
            folder=tmp_path,
            on_plane=lambda plane: seen.append(plane.number),
            cancelled=lambda: len(seen) >= 3,
        )
    assert len(seen) == 3
    assert focus(sweeping) == START_UM
    with pytest.raises(ZeroDivisionError):  # whatever a callback raises
        sweeping.sweep_zlut(folder=tmp_path, on_plane=lambda plane: 1 / 0)
    assert focus(sweeping) == START_UM
    sweeping.move("slow", 0.0)
    began = time.monotonic()
    with pytest.raises(StateError, match="cancelled"):  # on a long way
        sweeping.sweep_zlut(
            folder=tmp_path, motor="slow", low_um=2.0, high_um=4.0,
            cancelled=lambda: time.monotonic() - began > 1.0,
        )  # fmt: skip
    assert sweeping.motor_positions()["slow"] == 0.0
    assert time.monotonic() - began < 4.0
    assert list(tmp_path.iterdir()) == []


def test_nobody_disturbs_a_sweep_nor_a_sweep_a_recording(
    sweeping: Scope, other: Scope, tmp_path: Path
) -> None:
    sweeping.start_recording(tmp_path / "r", "track")
    try:
        with pytest.raises(StateError, match=r"a recording is on.*stop the recording first"):
            sweeping.sweep_zlut(folder=tmp_path / "z")
    finally:
        sweeping.stop_recording()
    refused: list[str] = []

    def meddle(plane: sweep.SweptPlane) -> None:
        """What somebody else may try meanwhile."""
        for act in (
            lambda: sweeping.start_recording(tmp_path / "s", "track"),
            lambda: other.move("focus", 9.0),
            lambda: sweeping.set_z_lock(bead=4),
        ):
            with pytest.raises(StateError) as caught:
                act()
            refused.append(str(caught.value))

    swept = sweeping.sweep_zlut(
        folder=tmp_path / "z", on_plane=lambda plane: plane.number == 3 and meddle(plane)
    )
    words = "a Z-LUT sweep moves the focus motor: wait until that is done, or stop the motor"
    assert refused == [words] * 3
    assert swept.report.usable_nm[1] > swept.report.usable_nm[0]  # nothing has disturbed it
    assert focus(sweeping) == START_UM
    assert not (tmp_path / "s").exists()


def test_the_z_lock_is_not_fought_with(sweeping: Scope, tmp_path: Path) -> None:
    """The Z-LUT is that of the first test."""
    sweeping.start_live()
    sweeping.set_z_lock(bead=4)
    try:
        with pytest.raises(StateError, match="Z-lock holds the focus motor: switch the Z-lock off"):
            sweeping.sweep_zlut(folder=tmp_path)
    finally:
        sweeping.set_z_lock(False)
    sweeping.move("focus", START_UM)


def test_who_stops_the_focus_ends_the_sweep_and_the_focus_stays(
    sweeping: Scope, other: Scope, tmp_path: Path
) -> None:
    seen: list[int] = []

    def stop(plane: sweep.SweptPlane) -> None:
        seen.append(plane.number)
        if plane.number == 2:
            other.stop_motor("focus")

    with pytest.raises(DeviceError, match="taken from the sweep"):
        sweeping.sweep_zlut(folder=tmp_path, on_plane=stop)
    assert len(seen) == 2
    assert focus(sweeping) < START_UM - 1.0  # where it was stopped
    assert sweeping.motors()[0].info.claimed == ""
    sweeping.move("focus", START_UM)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_swept_is_refused(sweeping: Scope, tmp_path: Path) -> None:
    beads = sweeping.beads
    for wrong, words in (
        ({"beads": [4, 77]}, "there is no bead 77"),
        ({"beads": []}, "no bead is chosen"),
        ({"motor": "stage"}, "no motor named 'stage'"),
        ({"low_um": -60.0, "step_nm": 500}, "leaves the motor's limits, -50 to 50 µm"),
        ({"frames_per_step": 0}, "frames_per_step is 0"),
        ({"frames_per_step": 2.5}, "whole number"),
        ({"settle_s": -1}, "settle_s is -1"),
        ({"low_um": -40.0, "high_um": 9.0, "frames_per_step": 1000}, "GB of memory"),
    ):
        with pytest.raises(InputError, match=words):
            sweeping.sweep_zlut(folder=tmp_path, **wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        sweeping.sweep_zlut(folder=tmp_path / "file")
    sweeping.set_beads(())
    try:
        with pytest.raises(StateError, match="no beads to sweep"):
            sweeping.sweep_zlut(folder=tmp_path)
    finally:
        sweeping.set_beads(beads)
    assert focus(sweeping) == START_UM


def test_a_focus_that_does_nothing_makes_no_zlut(sweeping: Scope, tmp_path: Path) -> None:
    """The microscope does not obey a motor of that name."""
    with pytest.raises(InputError, match=r"makes no Z-LUT of bead 5: its rings change too little"):
        sweeping.sweep_zlut([5], motor="idle", folder=tmp_path, **SHORT)
    assert list(tmp_path.iterdir()) == []


def test_a_motor_killed_during_the_sweep_is_told_and_brought_back(tmp_path: Path) -> None:
    scope = Scope("simulated", options=OPTIONS, settings=SETTINGS)
    scope.add_hardware("focus", "simulated-focus", start=START_UM)
    with scope:
        scope.start_live()
        scope.set_beads(beads_of(OPTIONS))

        def kill(plane: sweep.SweptPlane) -> None:
            if plane.number == 4:
                pid = next(w.pid for w in scope.status().workers if w.name == "motor-focus")
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(BeadscopeError, match="focus"):
            scope.sweep_zlut(folder=tmp_path, on_plane=kill, settle_s=0.3)
        assert focus(scope) == START_UM
        assert not scope.motors()[0].moving
        assert list(tmp_path.iterdir()) == []
        assert scope.status().streaming
