"""The compiled backend: magtrack's numbers on simulated beads, byte for byte stable rows."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_beadscope.core.errors import InputError, TrackingError
from napari_beadscope.core.types import Reason
from napari_beadscope.testing.backends import bad_rois, noisy_rings, ring_zlut, rings
from napari_beadscope.tracking import (
    METHODS,
    Backend,
    TrackResult,
    ZLut,
    backend,
    build_zlut,
    find_beads,
    list_backends,
    open_backend,
    track_stack,
)

FIELDS = tuple(field.name for field in fields(TrackResult))
NM_PER_PX = 100.0
MAGTRACKS = "magtrack-compatible"


@pytest.fixture(scope="module")
def cpu() -> Backend:
    return open_backend("cpu", method=MAGTRACKS)


@pytest.fixture(scope="module")
def magtrack() -> Backend:
    return open_backend("magtrack", method=MAGTRACKS)


@pytest.fixture
def _as_magtrack_leaves_it() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate():
        yield


def beads(
    n: int, size_px: int, seed: int, z_nm: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Wave-optical beads from magtrack's simulator, 0 to 220 with shot noise; and the truth."""
    open_backend("magtrack", method=MAGTRACKS).warm_up(
        16, "uint8", None
    )  # imports magtrack with its effects held
    from magtrack.simulation import simulate_beads

    rng = np.random.default_rng(seed)
    z = rng.uniform(-2500, 2500, n) if z_nm is None else z_nm
    xy = rng.uniform(-250, 250, (len(z), 2)) if z_nm is None else np.zeros((len(z), 2))
    xyz = np.column_stack([xy, z])
    clean = simulate_beads(xyz, nm_per_px=NM_PER_PX, size_px=size_px).transpose(2, 0, 1)
    photons = rng.poisson(clean * 10_000) / 10_000 if z_nm is None else clean
    truth = np.column_stack([xyz[:, :2] / NM_PER_PX + size_px // 2, z])
    return photons * 220, truth


def same_bytes(one: TrackResult, other: TrackResult) -> bool:
    return all(
        np.ascontiguousarray(getattr(one, f)).tobytes()
        == np.ascontiguousarray(getattr(other, f)).tobytes()
        for f in FIELDS
    )


@pytest.mark.parametrize("size_px", [32, 50, 64, 65, 100])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_numbers_are_magtracks(cpu: Backend, magtrack: Backend, size_px: int, dtype: type) -> None:
    z = np.arange(-3000.0, 3001.0, 100.0)
    lut = build_zlut(beads(0, size_px, 0, z)[0], z, magtrack)
    stack = beads(30, size_px, seed=size_px)[0]
    stack = stack if dtype is np.float64 else np.rint(stack).clip(0, 255).astype(dtype)
    ours, theirs = cpu.track(stack, lut), magtrack.track(stack, lut)
    np.testing.assert_array_equal(ours.reason, theirs.reason)
    np.testing.assert_allclose(ours.x_px, theirs.x_px, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.y_px, theirs.y_px, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.z_nm, theirs.z_nm, rtol=0, atol=1e-3)
    np.testing.assert_allclose(ours.profiles, theirs.profiles, rtol=1e-6)
    np.testing.assert_array_equal(ours.quality, theirs.quality)
    assert np.isfinite(ours.x_px).mean() > (0.7 if size_px == 32 else 0.95)


@pytest.mark.usefixtures("_as_magtrack_leaves_it")
def test_reference_backend_is_the_package(magtrack: Backend) -> None:
    import magtrack as package

    stack = beads(20, 64, seed=1)[0]
    z = np.arange(-3000.0, 3001.0, 100.0)
    lut = build_zlut(beads(0, 64, 0, z)[0], z, magtrack)
    warnings.simplefilter("ignore")
    x, y, height, profiles = package.stack_to_xyzp(
        np.ascontiguousarray(stack.transpose(1, 2, 0)), np.vstack([lut.z_nm, lut.at_one_px(32).T])
    )
    result = magtrack.track(stack, lut)
    np.testing.assert_array_equal(result.x_px, x)
    np.testing.assert_array_equal(result.y_px, y)
    np.testing.assert_array_equal(result.z_nm, height)
    np.testing.assert_array_equal(result.profiles, profiles.T.astype(np.float32))


def test_accuracy_on_simulated_beads(cpu: Backend) -> None:
    z = np.arange(-3000.0, 3001.0, 50.0)
    lut = build_zlut(beads(0, 64, 0, z)[0], z, cpu)
    stack, truth = beads(100, 64, seed=4)
    result = cpu.track(np.rint(stack).astype(np.uint8), lut)
    assert np.sqrt(np.mean((result.x_px - truth[:, 0]) ** 2)) < 0.03
    assert np.sqrt(np.mean((result.y_px - truth[:, 1]) ** 2)) < 0.03
    assert np.sqrt(np.mean((result.z_nm - truth[:, 2]) ** 2)) < 35.0
    assert (result.quality > 0.8).all()


def test_rows_are_the_same_bytes_alone_in_a_crowd_and_over_threads(cpu: Backend) -> None:
    lut = ring_zlut(cpu)
    good = noisy_rings(7, seed=2)[0].astype(np.float64)
    stack = np.concatenate([good, np.stack(list(bad_rois().values())), good])
    whole = cpu.track(stack, lut)
    assert same_bytes(whole.part(slice(0, 7)), whole.part(slice(-7, None)))
    for i in range(len(stack)):
        assert same_bytes(cpu.track(stack[i : i + 1], lut), whole.part(slice(i, i + 1)))
    for threads in (2, 3, 50):
        assert same_bytes(
            open_backend("cpu", method=MAGTRACKS, threads=threads).track(stack, lut), whole
        )


@pytest.mark.parametrize("name", ["cpu", "magtrack"])
@pytest.mark.parametrize("size_px", [16, 17, 23, 40, 99, 255, 256])
def test_any_size_from_16_to_256(name: str, size_px: int) -> None:
    x, y = np.array([size_px / 2 - 0.7]), np.array([size_px / 2 + 0.4])
    result = track_stack(rings(x, y, np.zeros(1), size_px), method=MAGTRACKS, backend=name)
    assert abs(result.x_px[0] - x[0]) < 0.15
    assert abs(result.y_px[0] - y[0]) < 0.15
    assert result.profiles.shape == (1, size_px // 2)


@pytest.mark.parametrize(
    ("stack", "says"),
    [
        (np.zeros((64, 64)), "dimensions"),
        (np.zeros((1, 64, 60)), "square"),
        (np.zeros((1, 15, 15)), "15 px"),
        (np.zeros((1, 257, 257)), "257 px"),
        (np.zeros((1, 32, 32), dtype=complex), "complex"),
        (np.full((1, 32, 32), "a"), "pixels"),
    ],
)
def test_stacks_that_are_refused(stack: np.ndarray, says: str) -> None:
    for name in ("cpu", "magtrack"):
        with pytest.raises(InputError, match=says):
            track_stack(stack, method=MAGTRACKS, backend=name)


def test_other_number_types_are_converted(cpu: Backend) -> None:
    stack = noisy_rings(3)[0]
    expected = cpu.track(stack, None)
    for dtype in (">u2", ">f4", np.int16, np.int64, np.float16, "<f8"):
        assert same_bytes(
            track_stack(stack.astype(dtype), method=MAGTRACKS, backend="cpu"), expected
        )
    assert same_bytes(track_stack(stack.tolist(), method=MAGTRACKS, backend="cpu"), expected)


def test_extreme_values_do_no_harm(cpu: Backend) -> None:
    good = noisy_rings(1)[0][0].astype(np.float64)
    ramp = np.arange(48.0 * 48).reshape(48, 48)
    odd = [good * 1e-300, good * 1e300, np.where(good > 150, 1e308, -1e308), ramp, ramp * 1e-310]
    odd += [good + 1e17, -good, good * 1e-30]
    result = cpu.track(np.stack([good, *odd, good]), None)
    assert same_bytes(result.part(slice(0, 1)), result.part(slice(-1, None)))
    lost = ~np.isfinite(result.x_px)
    assert (result.reason[lost] != Reason.OK).all()
    assert abs(result.x_px[-2] - result.x_px[0]) < 1e-9


def test_saturated_and_cut_beads_are_flagged(cpu: Backend) -> None:
    clean = rings(np.array([23.2]), np.array([24.1]), np.zeros(1))[0]
    some = np.clip(clean * 2.2, 0, 255).astype(np.uint8)
    most = np.clip(clean * 3, 0, 255).astype(np.uint8)
    cut = clean.astype(np.uint8)
    cut[-9:] = 0
    result = cpu.track(np.stack([some, most, cut]), None)
    assert result.reason.tolist() == [Reason.SATURATED, Reason.SATURATED, Reason.CLIPPED]
    assert np.isfinite(result.x_px).tolist() == [True, False, False]
    twelve_bits = (np.clip(clean * 2.2, 0, 255) / 255 * 4095).astype(np.uint16)
    assert track_stack(twelve_bits[np.newaxis]).reason.tolist() == [Reason.SATURATED]


def test_a_black_background_is_not_the_edge_of_the_frame(cpu: Backend) -> None:
    glow = rings(np.array([23.2]), np.array([24.1]), np.zeros(1))[0] - 104
    result = cpu.track(np.clip(glow, 0, 255).astype(np.uint8)[np.newaxis], None)
    assert result.reason.tolist() == [Reason.OK]
    assert abs(result.x_px[0] - 23.2) < 0.1


def test_outside_the_capture_range_is_never_plausible(cpu: Backend) -> None:
    shift = np.arange(14.0, 32.0, 1.0)
    x, y = 31.5 + shift, np.full(len(shift), 31.5)
    result = cpu.track(rings(x, y, np.zeros(len(shift)), 64), None)
    wrong = ~(np.abs(result.x_px - x) < 0.5)
    trusted = (result.reason == Reason.OK) & (result.quality > 0.4)
    assert not (wrong & trusted).any()
    assert wrong.any()


def test_a_bead_with_structure_is_trusted_only_where_the_centre_is_right(
    cpu: Backend, data_dir: Path
) -> None:
    """A real bead that carries a bacterium: now and then the chain is caught by its inside."""
    import tifffile

    crops = tifffile.imread(data_dir / "tweezed_bead_real.tif")[:, 38:146, 45:153]
    result = cpu.track(crops, None)
    trusted = result.reason == Reason.OK
    assert trusted.mean() > 0.9
    found = [find_beads(crop) for crop in crops[::8]]
    away = np.hypot(
        result.x_px[::8] - [one.x_px[0] for one in found],
        result.y_px[::8] - [one.y_px[0] for one in found],
    )
    assert away[trusted[::8]].max() < 5.5


def test_another_kind_of_bead_does_not_match(cpu: Backend) -> None:
    lut = ring_zlut(cpu)
    stack, _ = noisy_rings(10, seed=8)
    inverted = track_stack(255 - stack, ZLut(lut.z_nm[25:36], lut.profiles[25:36], 0.25))
    assert np.isfinite(inverted.x_px).all()
    assert (inverted.reason != Reason.OK).all()
    assert np.isnan(inverted.z_nm).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=st.floats(29.0, 34.0),
    y=st.floats(29.0, 34.0),
    z=st.floats(-1200, 1200),
    right=st.integers(-3, 3),
    down=st.integers(-3, 3),
)
def test_shift_in_shift_out(x: float, y: float, z: float, right: int, down: int) -> None:
    wide = rings(np.array([x]), np.array([y]), np.array([z]), 64)[0]
    stack = np.stack([wide[8:56, 8:56], wide[8 + down : 56 + down, 8 + right : 56 + right]])
    result = track_stack(stack, method=MAGTRACKS, backend="cpu")
    assert abs(result.x_px[0] - result.x_px[1] - right) < 0.05
    assert abs(result.y_px[0] - result.y_px[1] - down) < 0.05


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(gain=st.floats(0.01, 200), offset=st.floats(-1000, 60_000), seed=st.integers(0, 99))
def test_gain_and_offset_do_not_matter(gain: float, offset: float, seed: int) -> None:
    stack = noisy_rings(1, seed)[0].astype(np.float64)
    plain = track_stack(stack, method=MAGTRACKS, backend="cpu")
    other = track_stack(stack * gain + offset, method=MAGTRACKS, backend="cpu")
    np.testing.assert_allclose(other.x_px, plain.x_px, atol=1e-5)
    np.testing.assert_allclose(other.y_px, plain.y_px, atol=1e-5)
    np.testing.assert_allclose(other.quality, plain.quality, atol=1e-4)


def test_auto_is_a_backend_that_is_here() -> None:
    assert open_backend("auto").name in ("cpu", "gpu")
    assert open_backend("auto").method == METHODS[0] == "precise"
    assert isinstance(open_backend("auto"), Backend)


def test_unknown_and_unavailable_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"there is no .*'cuda'.*choose auto, gpu, cpu"):
        open_backend("cuda")
    with pytest.raises(InputError, match="threads"):
        open_backend("cpu", threads=0)
    with pytest.raises(InputError, match=r"no tracking method 'quick'.*choose precise or magtrack"):
        open_backend("cpu", method="quick")
    for name in ("magtrack", "magtrack-gpu"):
        with pytest.raises(InputError, match=r"not know.*'precise'.*--method magtrack-compatible"):
            open_backend(name)
    by_name = {info.name: info for info in list_backends()}
    if not by_name["magtrack-gpu"].available:
        assert by_name["magtrack-gpu"].why_not
        with pytest.raises(TrackingError, match="magtrack-gpu"):
            open_backend("magtrack-gpu", method=MAGTRACKS)
    monkeypatch.setattr(backend, "_AUTO", ())
    with pytest.raises(TrackingError, match="no tracking backend"):
        open_backend("auto")


def test_warm_up_says_how_long_it_took(cpu: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cpu.warm_up(48, "uint16", ring_zlut(cpu))
    assert "ready after" in caplog.text


def test_magtracks_side_effects_are_contained() -> None:
    code = """
import json, warnings, numpy as np
from napari_beadscope.tracking import track_stack
before = np.geterr(), len(warnings.filters)
noise = np.random.default_rng(0).normal(100, 5, (3, 32, 32))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    track_stack(noise, method="magtrack-compatible", backend="magtrack")
after = np.geterr(), len(warnings.filters)
print(json.dumps([before == after, [str(w.message) for w in seen]]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    same, seen = json.loads(run.stdout)
    assert same
    assert [message for message in seen if "CuPy" in message or "divide" in message] == []
    assert run.stderr == ""
