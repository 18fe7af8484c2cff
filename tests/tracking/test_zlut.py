"""Z-LUT files and objects: what is read is what was written, and wrong files say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_beadscope.core.errors import InputError
from napari_beadscope.testing.backends import ring_zlut, rings
from napari_beadscope.tracking import ZLut, build_zlut, open_backend, track_stack
from napari_beadscope.tracking.zlut_model import model_for


def _table(planes: int = 9, bins: int = 16) -> ZLut:
    rng = np.random.default_rng(0)
    return ZLut(z_nm=np.arange(planes) * 33.3 - 100, profiles=rng.normal(100, 10, (planes, bins)))


def test_round_trip_is_exact(tmp_path: Path) -> None:
    lut = _table()
    lut.save(tmp_path / "zlut.txt")
    again = ZLut.load(tmp_path / "zlut.txt")
    np.testing.assert_array_equal(again.z_nm, lut.z_nm)
    np.testing.assert_array_equal(again.profiles, lut.profiles)
    assert [path.name for path in tmp_path.iterdir()] == ["zlut.txt"]


def test_layout_is_magtracks(tmp_path: Path) -> None:
    lut = _table()
    lut.save(tmp_path / "zlut.txt")
    table = np.loadtxt(tmp_path / "zlut.txt")
    assert table.shape == (1 + lut.bins, lut.planes)
    np.testing.assert_array_equal(table[0], lut.z_nm)
    np.testing.assert_array_equal(table[1:].T, lut.profiles)


def test_a_missing_first_bin_survives(tmp_path: Path) -> None:
    profiles = _table().profiles.copy()
    profiles[:, 0] = np.nan
    ZLut(_table().z_nm, profiles).save(tmp_path / "zlut.txt")
    assert np.isnan(ZLut.load(tmp_path / "zlut.txt").profiles[:, 0]).all()


def test_commas_and_comments_are_read(tmp_path: Path) -> None:
    path = tmp_path / "zlut.csv"
    path.write_text("# z\n0, 50, 100\n1, 2, 3\n4, 5, 6  # second bin\n")
    assert ZLut.load(path).profiles.tolist() == [[1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 rows"),
        ("0 50 100\n", "1 rows"),
        ("0 50 100\n1 2 3\n", "2 rows"),
        ("0 50 100\n1 2\n3 4 5\n", "line 2 has 2 values instead of 3"),
        ("z z z\n1 2 3\n3 4 5\n", "line 1"),
        ("0 50 50\n1 2 3\n3 4 5\n", "rise or fall"),
        ("0 100 50\n1 2 3\n3 4 5\n", "rise or fall"),
        ("0 nan 100\n1 2 3\n3 4 5\n", "rise or fall"),
        ("0 50 100\n1 2 3\n3 inf 5\n", "not finite"),
    ],
)
def test_wrong_files_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "zlut.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        ZLut.load(path)
    assert str(path) in str(caught.value)


def test_missing_folder_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        ZLut.load(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        ZLut.load(tmp_path)
    (tmp_path / "image.tif").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not a text file"):
        ZLut.load(tmp_path / "image.tif")
    with pytest.raises(InputError, match="cannot write"):
        _table().save(tmp_path / "no" / "zlut.txt")


def test_it_must_reach_as_far_as_the_rois_need() -> None:
    lut = _table(bins=16)
    for size_px in (16, 31, 32, 33):
        lut.check_matches(size_px)
    with pytest.raises(InputError, match=r"reaches 15 px .* ROIs of 64 px need 31 px"):
        lut.check_matches(64)
    with pytest.raises(InputError, match="planes"):
        _table(planes=6).check_matches(32)
    fine = ZLut(lut.z_nm, lut.profiles, 0.25)
    assert (fine.reach_px, fine.size_px) == (3.75, 8)
    with pytest.raises(InputError, match="need 15 px"):
        fine.check_matches(32)


def test_the_radial_step_is_kept_on_disk(tmp_path: Path) -> None:
    ZLut(_table().z_nm, _table().profiles, 0.3).save(tmp_path / "zlut.txt")
    assert ZLut.load(tmp_path / "zlut.txt").radial_step_px == 0.3
    assert np.loadtxt(tmp_path / "zlut.txt").shape == (17, 9)
    (tmp_path / "zlut.txt").write_text("# radial_step_px: wide\n1 2 3\n1 2 3\n1 2 3\n")
    with pytest.raises(InputError, match="'wide' is not a number"):
        ZLut.load(tmp_path / "zlut.txt")


def test_fine_profiles_become_the_mean_of_rings() -> None:
    r = np.arange(128) * 0.25
    lut = ZLut(np.arange(3.0), np.stack([r, r**2, np.cos(r)]), 0.25)
    coarse = lut.at_one_px(32)
    k = np.arange(1, 32)
    np.testing.assert_allclose(coarse[0, 1:], k + 1 / (12 * k), rtol=2e-4)  # mean of r over a ring
    np.testing.assert_allclose(coarse[1, 1:], k**2 + 0.25, rtol=3e-4)
    plain = _table()
    np.testing.assert_array_equal(plain.at_one_px(10), plain.profiles[:, :10])
    with pytest.raises(InputError, match="reaches"):
        lut.at_one_px(33)


def test_a_qtrk_file_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "lut.radialzlut").write_bytes(bytes(50))
    with pytest.raises(InputError, match=r"zlut convert .*lut\.radialzlut zlut.txt --z-nm"):
        ZLut.load(tmp_path / "lut.radialzlut")


@pytest.mark.parametrize(
    ("z_nm", "profiles"),
    [
        (np.arange(3), np.ones((4, 8))),
        (np.ones((3, 1)), np.ones((3, 8))),
        (np.arange(1), np.ones((1, 8))),
        (np.arange(3), np.ones((3, 2000))),
    ],
)
def test_shapes_must_belong_together(z_nm: np.ndarray, profiles: np.ndarray) -> None:
    with pytest.raises(InputError):
        ZLut(z_nm, profiles)


def test_arrays_cannot_be_changed_from_outside() -> None:
    z_nm, profiles = np.arange(3.0), np.arange(24.0).reshape(3, 8)
    lut = ZLut(z_nm, profiles)
    z_nm[:] = 0
    assert lut.z_nm.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        lut.profiles[0, 0] = 5


def test_falling_heights_work() -> None:
    lut = ring_zlut(open_backend("cpu"))
    falling = ZLut(lut.z_nm[::-1], lut.profiles[::-1], lut.radial_step_px)
    middle, z = np.full(3, 23.6), np.array([-440.0, 30.0, 610.0])
    stack = rings(middle, middle, z)
    one, other = track_stack(stack, lut), track_stack(stack, falling)
    np.testing.assert_allclose(one.z_nm, other.z_nm, atol=1e-6)


def test_repeats_are_averaged_and_order_does_not_matter() -> None:
    z = np.tile(np.arange(-500.0, 501.0, 50.0), 4)
    rng = np.random.default_rng(5)
    middle = np.full(len(z), 23.6)
    stack = rings(middle, middle, z) + rng.normal(0, 4, (len(z), 48, 48))
    order = rng.permutation(len(z))
    lut = build_zlut(stack[order], z[order], "cpu")
    assert lut.z_nm.tolist() == np.unique(z).tolist()
    single = build_zlut(stack[:21], z[:21], open_backend("cpu"))
    clean = build_zlut(rings(middle[:21], middle[:21], z[:21]), z[:21], "cpu")
    wrong = [np.nanstd((one.profiles - clean.profiles)[:, 8:]) for one in (lut, single)]
    assert wrong[0] < 0.7 * wrong[1]


def test_sweeps_that_make_no_zlut() -> None:
    z = np.arange(-500.0, 501.0, 50.0)
    middle = np.full(len(z), 23.5)
    stack = rings(middle, middle, z)
    with pytest.raises(InputError, match="one height"):
        build_zlut(stack, z[:-1], "cpu")
    with pytest.raises(InputError, match="finite"):
        build_zlut(stack, np.where(z == 0, np.nan, z), "cpu")
    with pytest.raises(InputError, match="found at 0 of 21"):
        build_zlut(np.full_like(stack, 9), z, "cpu")
    with pytest.raises(InputError, match="5 of 5"):
        build_zlut(stack[:5], z[:5], "cpu")


def test_a_height_without_bead_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    z = np.arange(-500.0, 501.0, 50.0)
    middle = np.full(len(z), 23.5)
    stack = rings(middle, middle, z)
    stack[4] = 100.0
    lut = build_zlut(stack, z, "cpu")
    assert lut.planes == len(z) - 1
    assert "-300 nm" in caplog.text


def test_planes_without_rings_are_refused() -> None:
    profiles = np.random.default_rng(0).normal(size=(9, 16))
    profiles[4] = 100.0
    with pytest.raises(InputError, match="no rings at 1 heights, such as 200 nm"):
        ZLut(np.arange(9) * 50.0, profiles)


def test_bins_two_px_apart_are_points_not_rings() -> None:
    r = np.arange(17) * 2.0
    fine = np.cos(np.arange(129) * 0.25 / 4 + np.arange(9)[:, np.newaxis] * 0.2)
    coarse = np.cos(r / 4 + np.arange(9)[:, np.newaxis] * 0.2)
    (lines, _, _), _ = model_for(ZLut(np.arange(9) * 50.0, coarse, 2.0), 64)
    (wanted, _, _), _ = model_for(ZLut(np.arange(9) * 50.0, fine, 0.25), 64)
    middle = lines[:, 0, 16:200] / lines[:, 0, 16:200].std()
    expected = wanted[:, 0, 16:200] / wanted[:, 0, 16:200].std()
    assert np.corrcoef(middle.ravel(), expected.ravel())[0, 1] > 0.9999
