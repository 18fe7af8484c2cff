"""A window of the simulated sensor: the same pixels, the same truth, fewer or larger pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.core.window import Window, follow
from napari_beadscope.devices.camera import Property, window_of
from napari_beadscope.devices.simulated import SimulatedCamera, SimulatedMicroscope

FIELD: dict[str, Any] = {"height_px": 240, "width_px": 300, "beads": 9, "fps": 500, "seed": 4}


@pytest.mark.parametrize("extra", [{}, {"dtype": "uint16"}, {"gain": 8.0}, {"noise": False}])
@pytest.mark.parametrize("roi", ["0,0,240,300", "37,101,96,128", "144,172,96,128"])
def test_the_pixels_of_a_window_are_those_of_the_whole_frame(
    extra: dict[str, Any], roi: str
) -> None:
    whole = SimulatedMicroscope({**FIELD, **extra})
    part = SimulatedMicroscope({**FIELD, **extra, "roi": roi})
    y0, x0, height, width = (int(number) for number in roi.split(","))
    for frame in (0, 7, 900):
        expected = whole.render(frame, focus_um=0.3)[y0 : y0 + height, x0 : x0 + width]
        difference = np.abs(part.render(frame, focus_um=0.3).astype(int) - expected)
        assert difference.max() <= 1  # of rounding, where a bead's contrast is added
        assert np.mean(difference > 0) < 1e-3
    assert part.truth([7])[0] == pytest.approx(whole.truth([7])[0] - (x0, y0, 0))
    assert part.bead_positions_px() == pytest.approx(whole.bead_positions_px() - (x0, y0))


@pytest.mark.parametrize("binning", [2, 4])
def test_binned_pixels_are_means_and_the_truth_is_in_their_px(binning: int) -> None:
    whole = SimulatedMicroscope({**FIELD, "dtype": "uint16"})
    part = SimulatedMicroscope(
        {**FIELD, "dtype": "uint16", "roi": "10,20,203,206", "binning": binning}
    )
    height, width = part.format.shape
    assert (height, width) == (203 // binning, 206 // binning)
    full = whole.render(5)[10 : 10 + height * binning, 20 : 20 + width * binning]
    means = full.reshape(height, binning, width, binning).mean(axis=(1, 3))
    assert np.abs(part.render(5) - means).max() <= 1
    x, y, z = np.moveaxis(part.truth([5])[0], 1, 0)
    sensor = Window(10, 20, 203, 206, binning).on_sensor(y, x)
    assert np.stack([sensor[1], sensor[0], z], axis=1) == pytest.approx(whole.truth([5])[0])


def test_a_binned_sweep_looks_like_the_binned_bead() -> None:
    still = {**FIELD, "beads": 1, "brownian": False, "drift_nm": 0, "drift_z_nm": 0, "noise": False}
    still |= {"unevenness": 0.0, "debris_per_mpx": 0.0, "dtype": "uint16"}
    microscope = SimulatedMicroscope({**still, "binning": 2})
    x, y, z = microscope.truth([0])[0, 0]
    column, row = round(x), round(y)
    crop = microscope.render(0)[row - 12 : row + 13, column - 12 : column + 13]
    sweep = microscope.focus_sweep([z, z + 800], size_px=25, offset_px=(x - column, y - row))
    errors = np.abs(sweep.astype(float) - crop).mean(axis=(1, 2))
    assert errors[0] < 3 < 10 < errors[1]


def test_the_camera_changes_window_while_it_runs() -> None:
    with SimulatedCamera(FIELD) as camera:
        camera.start()
        frames = []
        for roi, binning in (("full", 1), ("50,60,64,96", 1), ("50,60,64,96", 2), ("full", 2)):
            camera.set("roi", roi)
            camera.set("binning", binning)
            out = np.empty(camera.format.shape, camera.format.dtype)
            stamp = camera.read_into(out, 5.0)
            assert stamp is not None
            frames.append(stamp.frame)
            options = {**FIELD, "roi": "" if roi == "full" else roi, "binning": binning}
            assert np.array_equal(out, SimulatedMicroscope(options).render(stamp.frame))
        assert frames == sorted(set(frames))
        assert window_of(camera) == Window(0, 0, 240, 300, 2)
        assert camera.get("roi") == "0,0,240,300"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("1,2,3", "give y0,x0,height,width"),
        ("0,0,64,wide", "give y0,x0,height,width"),
        ("-1,0,64,64", "give y0,x0,height,width"),
        ("200,0,64,64", "not inside the sensor of 300 x 240 px"),
        ("0,0,16,64", "at least 32 px high and 32 px wide"),
    ],
)
def test_impossible_windows_say_why(bad: str, why: str) -> None:
    with SimulatedCamera(FIELD) as camera, pytest.raises(DeviceError, match=why):
        camera.set("roi", bad)
    with pytest.raises(InputError, match="simulated camera"):
        SimulatedMicroscope({**FIELD, "roi": bad})


def test_numbers_are_choices_too() -> None:
    binning = Property("binning", "", "choice", 0, 0, ("1", "2"), "1")
    assert binning.check(2) == binning.check(2.0) == binning.check("2") == "2"
    for bad in (3, 1.5, "two"):
        with pytest.raises(DeviceError, match="choose one of 1, 2"):
            binning.check(bad)


def test_beads_follow_to_another_window_and_back() -> None:
    beads = tuple(Bead(7 * i, Roi(60 + 20 * i, 80 + 20 * i, 32)) for i in range(3))
    whole, part = Window(0, 0, 240, 300), Window(40, 60, 160, 160)
    there, left_out = follow(beads, whole, part, part.shape)
    assert not left_out
    assert [bead.roi for bead in there] == [Roi(20 + 20 * i, 20 + 20 * i, 32) for i in range(3)]
    assert follow(there, part, whole, whole.shape) == (beads, ())
    binned = Window(40, 60, 160, 160, 2)
    smaller, _ = follow(there, part, binned, binned.shape)
    assert [bead.roi for bead in smaller] == [Roi(10 + 10 * i, 10 + 10 * i, 16) for i in range(3)]
    assert follow(smaller, binned, part, part.shape)[0] == there
    few, gone = follow(beads, whole, Window(70, 70, 64, 64), (64, 64))
    assert [bead.bead for bead in few] == [7]
    assert gone == (0, 14)
