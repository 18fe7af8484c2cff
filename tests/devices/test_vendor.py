"""Numbers, times and steps that real cameras share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.window import Window
from napari_beadscope.devices.vendor import (
    DeviceClock,
    FrameCounter,
    SensorSteps,
    Steps,
    camera_lost,
)

MS = 1_000_000


@given(
    steps=st.lists(st.integers(1, 500), max_size=60),
    start=st.integers(1, 65535),
)
def test_lost_frames_are_jumps_also_where_the_counter_goes_round(
    steps: list[int], start: int
) -> None:
    counter = FrameCounter(lowest=1, highest=65535)
    exposed, truth = start, [0]
    numbers = [counter.number(start)]
    for step in steps:
        exposed += step
        truth.append(truth[-1] + step)
        numbers.append(counter.number((exposed - 1) % 65535 + 1))
    assert numbers == truth


def test_a_counter_that_begins_anew_uses_no_number_twice() -> None:
    counter = FrameCounter()
    assert [counter.number(count) for count in (0, 1, 4)] == [0, 1, 4]
    counter.restart()
    assert [counter.number(count) for count in (0, 1)] == [5, 6]
    assert counter.number(0) == 7  # it was reset, and did not say so
    assert counter.number(2) == 9
    counter.lose(3)
    assert counter.number(3) == 13


@given(
    late=st.lists(st.integers(0, 50), min_size=2, max_size=200),
    drift_ppm=st.integers(-50, 50),
)
def test_times_neither_fall_nor_lie_in_the_future(late: list[int], drift_ppm: int) -> None:
    clock = DeviceClock(tick_ns=8)
    last = 0
    for number, delay_ms in enumerate(late):
        true_ns = 10**12 + number * 200 * MS
        ticks = round(number * 200 * MS * (1 + drift_ppm * 1e-6) / 8) + 12_345
        arrived = true_ns + delay_ms * MS
        taken = clock.monotonic_ns(ticks, arrived)
        assert last <= taken <= arrived
        last = taken


@pytest.mark.parametrize("drift_ppm", [-50, 50])
def test_times_follow_a_clock_that_drifts_for_an_hour(drift_ppm: int) -> None:
    clock = DeviceClock()
    worst = 0
    for number in range(36_000):
        true_ns = 10**12 + number * 100 * MS
        device_ns = round(number * 100 * MS * (1 + drift_ppm * 1e-6))
        late_ns = 2 * MS + number * 7 % 5 * MS
        taken = clock.monotonic_ns(device_ns, true_ns + late_ns)
        if number > 200:
            worst = max(worst, abs(taken - true_ns - 2 * MS))
    assert worst < 1.1 * MS  # 50 ppm of 20 s; without following it would be 180 ms


def test_a_clock_that_was_reset_is_followed() -> None:
    clock = DeviceClock()
    assert clock.monotonic_ns(900 * MS, 5_000 * MS) == 5_000 * MS
    assert clock.monotonic_ns(1 * MS, 6_000 * MS) == 6_000 * MS
    assert clock.monotonic_ns(11 * MS, 6_014 * MS) == 6_010 * MS


@given(
    y0=st.integers(0, 2000),
    x0=st.integers(0, 2000),
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
)
def test_windows_are_rounded_to_what_the_camera_can(
    y0: int, x0: int, height: int, width: int
) -> None:
    steps = SensorSteps(Window(0, 0, 1030, 1300), least=(10, 16), size=(4, 16), place=(2, 32))
    found = steps.nearest(Window(y0, x0, height, width))
    assert found.inside(steps.sensor)
    assert (found.height - 10) % 4 == (found.width - 16) % 16 == 0
    assert found.y0 % 2 == found.x0 % 32 == 0
    assert steps.nearest(found) == found
    assert steps.property(found).check(found.text) == found.text


def test_steps_and_properties() -> None:
    steps = Steps(20, 1_000_010, 20)
    assert steps.nearest(-5) == 20
    assert steps.nearest(2e6) == 1_000_000
    exposure = steps.property("exposure_ms", "ms", 10_000, 1e-3)
    assert exposure.value == exposure.check(exposure.value) == 10
    with pytest.raises(DeviceError, match=r"from 0.02 to 1000.01 ms"):
        exposure.check(0.001)
    odd = steps.property("exposure_ms", "ms", 19.5, 1e-3)
    assert odd.check(odd.value) == odd.value


def test_a_lost_camera_is_named_with_what_to_do() -> None:
    error = camera_lost("Left", "error 0xE1000014")
    assert str(error) == (
        "the camera Left does not answer any more (error 0xE1000014): check its cable and its power"
    )
