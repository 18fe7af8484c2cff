"""Z-LUTs of other programs, one Z-LUT for several beads, and what a Z-LUT is good for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import ZLut, build_zlut
from napari_beadscope.tracking.zlut import load_notes
from napari_beadscope.tracking.zlut_build import measure_sweep
from napari_beadscope.tracking.zlut_formats import (
    from_samples,
    read_radialzlut,
    write_radialzlut,
)
from napari_beadscope.tracking.zlut_report import check_usable, report_sweep, report_zlut
from napari_beadscope.tracking.zlut_shared import share

Z = np.arange(-1000.0, 1001.0, 50.0)


def lut_of(z_nm: np.ndarray, offset_nm: float = 0.0) -> ZLut:
    """Exact profiles of the ring pattern."""
    r = np.arange(0, 31.8, 0.25)
    z = (z_nm + offset_nm)[:, np.newaxis]
    width = 64 * (0.16 + z / 40_000)
    bent = np.sqrt(r**2 + 4.0)
    rings_ = np.cos(2 * np.pi * (bent / 7.0 - z / 4000)) * np.exp(-(r**2) / (2 * width**2))
    return ZLut(z_nm, 100 + 65 * rings_, 0.25)


def test_a_real_file_of_qtrk(data_dir: Path, tmp_path: Path) -> None:
    samples = read_radialzlut(data_dir / "mt_zluts_real.radialzlut")
    assert samples.shape == (5, 400, 96)
    np.testing.assert_allclose(samples.mean(axis=2), 0.0, atol=1e-5)
    np.testing.assert_allclose(samples.std(axis=2), 1.0, atol=1e-4)
    zluts = [from_samples(one, np.arange(400) * 25.0, 1 / 3) for one in samples]
    assert zluts[0].bins == 99
    np.testing.assert_allclose(zluts[2].profiles[:, 3:], samples[2], atol=1e-5)
    # inside the first sample the profile is continued without a step
    inner = np.diff(zluts[0].profiles[:, :8], axis=1)
    assert np.abs(inner[:, :3]).max() < 2 * np.abs(inner).max()
    write_radialzlut(tmp_path / "again.radialzlut", zluts)
    np.testing.assert_allclose(
        read_radialzlut(tmp_path / "again.radialzlut"), samples, atol=1e-5, rtol=1e-5
    )


def test_real_beads_of_one_kind_are_told_from_another(data_dir: Path) -> None:
    samples = read_radialzlut(data_dir / "mt_zluts_real.radialzlut")[:, ::4]
    shared = share([from_samples(one, np.arange(100) * 100.0, 1 / 3) for one in samples])
    assert shared.used.tolist() == [True, True, True, True, False]
    assert np.abs(shared.shift_nm[:4]).max() < 500


def test_a_real_zlut_is_usable(data_dir: Path) -> None:
    samples = read_radialzlut(data_dir / "mt_zluts_real.radialzlut")
    for one in samples:
        report = report_zlut(from_samples(one, np.arange(400) * 25.0, 1 / 3))
        low, high = report.usable_nm
        assert high - low > 9000
        assert report.usable_sigma_nm[1] < 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "too short"),
        (bytes(11), "too short"),
        (np.array([1, 2, -3], "<i4").tobytes(), "no Z-LUT of QTrk"),
        (b"0 50 100 150\n1 2 3 4\n5 6 7 8\n", "no Z-LUT of QTrk"),
        (np.array([1, 9, 20], "<i4").tobytes() + bytes(4 * 179), "holds 728 bytes.* take 732"),
        (np.array([1, 9, 20], "<i4").tobytes() + bytes(4 * 181), "holds 736 bytes.* take 732"),
        (np.array([1, 1, 1], "<i4").tobytes() + b"\xff\xff\xff\x7f", "not finite"),
    ],
)
def test_wrong_files_of_qtrk(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "bad.radialzlut"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_radialzlut(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="does not exist"):
        read_radialzlut(tmp_path / "none.radialzlut")


def test_samples_need_heights_and_radii() -> None:
    samples = np.random.default_rng(0).random((9, 20))
    with pytest.raises(InputError, match="9 planes, but 8 heights"):
        from_samples(samples, np.arange(8.0), 0.5)
    with pytest.raises(InputError, match="radial step"):
        from_samples(samples, np.arange(9.0), -0.5)
    lut = from_samples(samples, np.arange(9.0), 0.5, first_radius_px=0.0)
    np.testing.assert_allclose(lut.profiles, samples)


def test_qtrk_files_hold_beads_alike(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="different sizes"):
        write_radialzlut(tmp_path / "x.radialzlut", [lut_of(Z), lut_of(Z[:-3])])
    with pytest.raises(InputError, match="cannot write"):
        write_radialzlut(tmp_path / "no" / "x.radialzlut", [lut_of(Z)])


def test_notes_are_read_back(tmp_path: Path) -> None:
    lut_of(Z).save(tmp_path / "zlut.txt", {"pixel_noise": 1.25, "bead": "seven"})
    assert load_notes(tmp_path / "zlut.txt") == {
        "radial_step_px": "0.25", "pixel_noise": "1.25", "bead": "seven",
    }  # fmt: skip
    np.testing.assert_array_equal(ZLut.load(tmp_path / "zlut.txt").profiles, lut_of(Z).profiles)


def test_beads_at_different_heights_share_a_zlut() -> None:
    higher = np.array([-130.0, 20.0, 70.0, 40.0])
    shared = share([lut_of(Z, offset) for offset in higher])
    np.testing.assert_allclose(shared.shift_nm, higher - higher.mean(), atol=2.0)
    assert shared.used.all()
    assert shared.disagreement.max() < 0.02
    exact = lut_of(shared.zlut.z_nm, float(higher.mean()))
    np.testing.assert_allclose(shared.zlut.profiles, exact.profiles, atol=0.5)
    assert shared.zlut.z_nm.min() >= Z.min()
    assert shared.zlut.planes > 35


def test_a_stranger_is_left_out() -> None:
    strange = ZLut(Z, 200 - lut_of(Z[::-1].copy() * -1 + 700).profiles[:, ::-1], 0.25)
    shared = share([lut_of(Z), lut_of(Z, 30.0), strange, lut_of(Z, -30.0)])
    assert shared.used.tolist() == [True, True, False, True]


def test_sharing_needs_beads_that_suit_each_other() -> None:
    with pytest.raises(InputError, match="no Z-LUT"):
        share([])
    coarse = ZLut(Z, lut_of(Z).profiles, 0.5)
    with pytest.raises(InputError, match="reach"):
        share([lut_of(Z), coarse])


def test_precision_is_the_bound_of_a_fit() -> None:
    """sigma_z agrees with the scatter of a linear fit of z, gain and offset to noisy profiles."""
    lut = lut_of(Z)
    report = report_zlut(lut, noise=2.0)
    rng = np.random.default_rng(0)
    plane = 20
    y, x = np.indices((64, 64)) - 31.5
    r = np.hypot(x, y)
    inside = r <= lut.reach_px
    radius = np.arange(lut.bins) * 0.25
    profile, slope = (
        np.interp(r[inside], radius, values)
        for values in (
            lut.profiles[plane],
            (lut.profiles[plane + 1] - lut.profiles[plane - 1]) / 100,
        )
    )
    design = np.column_stack([slope, profile, np.ones(inside.sum())])
    noise = rng.normal(0, 2.0, (inside.sum(), 400))
    found = np.linalg.lstsq(design, noise, rcond=None)[0][0]
    assert report.sigma_z_nm[plane] == pytest.approx(found.std(), rel=0.15)


def test_rings_that_come_back_end_the_usable_range() -> None:
    """The pattern repeats every 2000 nm here: no longer range can be unique."""
    z = np.arange(0.0, 5001.0, 50.0)
    r = np.arange(64) * 0.5
    lut = ZLut(z, 100 + 50 * np.cos(r / 2 - 2 * np.pi * z[:, np.newaxis] / 2000), 0.5)
    report = report_zlut(lut, noise=2.0)
    low, high = report.usable_nm
    assert 1500 <= high - low <= 2000


def test_planes_without_change_are_not_usable(tmp_path: Path) -> None:
    still = ZLut(Z, np.tile(lut_of(Z).profiles[:1], (len(Z), 1)), 0.25)
    report = report_zlut(still, noise=2.0)
    assert np.isnan(report.usable_nm).all()
    assert np.isnan(report.usable_sigma_nm).all()
    report.plot(tmp_path / "still.png")
    with pytest.raises(InputError, match="change too little"):
        check_usable(report)
    half = lut_of(Z).profiles.copy()
    half[25:] = half[25]
    low, high = report_zlut(ZLut(Z, half, 0.25), noise=2.0).usable_nm
    assert low <= -900
    assert high < 400


def test_z_worse_than_the_step_between_planes_is_not_usable() -> None:
    lut = lut_of(Z)
    check_usable(report_zlut(lut, noise=2.0))
    with pytest.raises(InputError, match="50 nm apart, but one frame tells z to"):
        check_usable(report_zlut(lut, noise=300.0))
    with pytest.raises(InputError, match="change too little"):
        check_usable(report_zlut(lut, 2.0, np.full(len(Z), 60.0)))


def test_planes_that_are_too_far_apart_are_not_usable() -> None:
    report = report_zlut(lut_of(Z), 2.0)
    coarse = replace(report, first=0, last=-1, between_nm=np.full(len(Z), 20.0))
    with pytest.raises(InputError, match="do not follow from one another"):
        check_usable(coarse)


def test_coarse_planes_are_said_to_be() -> None:
    fine, coarse = report_zlut(lut_of(Z), 1.0), report_zlut(lut_of(Z[::6]), 1.0)
    assert np.nanmax(fine.between_nm) < 0.1
    assert np.nanmax(coarse.between_nm) > 10 * np.nanmax(fine.between_nm)


def test_a_sweep_knows_its_noise(tmp_path: Path) -> None:
    z = np.repeat(np.arange(-800.0, 801.0, 50.0), 2)
    middle = np.full(len(z), 31.6)
    rng = np.random.default_rng(1)
    stack = rings(middle, middle, z, 64) + rng.normal(0, 3.0, (len(z), 64, 64))
    sweep = measure_sweep(stack, z)
    np.testing.assert_allclose(sweep.noise, 3.0, rtol=0.06)
    report = report_sweep(sweep)
    assert report.noise_known
    assert (report.error_nm < report.sigma_z_nm).all()
    unknown = report_zlut(build_zlut(stack, z, smooth=False))
    assert not unknown.noise_known
    assert np.median(unknown.noise) == pytest.approx(3.0 / np.sqrt(2), rel=0.2)
    for name in ("zlut.png", "zlut.svg"):
        report.plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000
    with pytest.raises(InputError, match="end its name"):
        report.plot(tmp_path / "zlut.txt")
    with pytest.raises(InputError, match="cannot draw"):
        report.plot(tmp_path / "no" / "zlut.png")
