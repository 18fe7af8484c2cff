from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.types import (
    MAX_RADIAL_BINS,
    TRACK_ROW,
    AcquisitionMode,
    FrameFormat,
    Roi,
)


@given(
    st.floats(-1e4, 1e4, allow_nan=False), st.floats(-1e4, 1e4, allow_nan=False), st.integers(1, 99)
)
def test_an_roi_is_centred_within_half_a_pixel(y_px, x_px, size):
    roi = Roi.around(y_px, x_px, size)
    assert abs(roi.centre_px[0] - y_px) <= 0.5 + 1e-9
    assert abs(roi.centre_px[1] - x_px) <= 0.5 + 1e-9
    assert roi.size == size


@given(st.integers(-9, 30), st.integers(-9, 30), st.integers(1, 12))
def test_an_roi_is_inside_exactly_if_its_crop_is_whole(y0, x0, size):
    roi, frame = Roi(y0, x0, size), np.arange(20 * 25).reshape(20, 25)
    if roi.inside(frame.shape):
        crop = roi.crop(frame)
        assert crop.shape == (size, size)
        assert crop[0, 0] == frame[y0, x0]
        assert np.shares_memory(crop, frame)
        assert roi.crop(np.stack([frame, frame])).shape == (2, size, size)
    else:
        assert y0 < 0 or x0 < 0 or y0 + size > 20 or x0 + size > 25


@pytest.mark.parametrize(
    ("name", "keeps"),
    [
        ("track", (True, False, False)),
        ("track+rois", (True, True, False)),
        ("track+full", (True, False, True)),
        ("rois", (False, True, False)),
        ("full", (False, False, True)),
    ],
)
def test_modes_say_what_they_keep(name, keeps):
    mode = AcquisitionMode(name)
    assert (mode.tracks, mode.rois, mode.video) == keeps


def test_sizes():
    assert FrameFormat(3, 5, "uint16").nbytes == 30
    assert FrameFormat(3, 5, "uint8").shape == (3, 5)
    assert TRACK_ROW["profile"].shape == (MAX_RADIAL_BINS,)
    assert TRACK_ROW.itemsize % 8 == 0  # rows stay aligned in the ring


def test_an_error_says_what_and_the_remedy():
    error = InputError("no file at /x", "check the path")
    assert isinstance(error, BeadscopeError)
    assert (error.what, error.remedy, str(error)) == (
        "no file at /x", "check the path", "no file at /x: check the path",
    )  # fmt: skip
    assert str(InputError("alone")) == "alone"
