"""Contract suite for tracking backends: what every backend must do, as callable checks.

Owns a small generator of ring patterns with known centres and heights, so that it needs no
simulator. Run every check of `BACKEND_CHECKS` against a backend::

    @pytest.mark.parametrize("check", BACKEND_CHECKS, ids=lambda check: check.__name__)
    def test_my_backend(check):
        check(MyBackend())
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Reason
from napari_beadscope.tracking import Backend, TrackResult, ZLut, build_zlut

SIZE_PX = 48
_FIELDS = tuple(field.name for field in fields(TrackResult))
_SIGMAS = ("sigma_x_px", "sigma_y_px", "sigma_z_nm")


def rings(
    x_px: np.ndarray, y_px: np.ndarray, z_nm: np.ndarray, size_px: int = SIZE_PX
) -> np.ndarray:
    """Ring patterns whose phase and width follow the height: a stand-in for a defocused bead.

    Parameters
    ----------
    x_px, y_px : array, shape (n,)
        Centres in ROI pixels.
    z_nm : array, shape (n,)
        Heights; patterns are distinct over ± 1500 nm.
    size_px : int
        ROI size.

    Returns
    -------
    ndarray, shape (n, y, x), float64
        Intensities from about 50 to 170.
    """
    x, y, z = (
        np.asarray(v, dtype=np.float64)[:, np.newaxis, np.newaxis] for v in (x_px, y_px, z_nm)
    )
    row = np.arange(size_px)
    r2 = (row - x) ** 2 + (row[:, np.newaxis] - y) ** 2
    width = size_px * (0.16 + z / 40_000)
    r = np.sqrt(r2 + 4.0)
    return 100 + 65 * np.cos(2 * np.pi * (r / 7.0 - z / 4000)) * np.exp(-r2 / (2 * width**2))


def noisy_rings(n: int, seed: int = 0, size_px: int = SIZE_PX) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` uint8 patterns with noise, and their truth (n, 3): x px, y px, z nm."""
    rng = np.random.default_rng(seed)
    middle = (size_px - 1) / 2
    truth = np.column_stack(
        [rng.uniform(middle - 2, middle + 2, (n, 2)), rng.uniform(-1000, 1000, n)]
    )
    images = rings(truth[:, 0], truth[:, 1], truth[:, 2], size_px) + rng.normal(
        0, 1.5, (n, size_px, size_px)
    )
    return np.clip(np.rint(images), 0, 255).astype(np.uint8), truth


def ring_zlut(backend: Backend, size_px: int = SIZE_PX) -> ZLut:
    """Z-LUT of the patterns over ± 1500 nm, measured by `backend`."""
    z = np.arange(-1500.0, 1501.0, 50.0)
    middle = np.full(len(z), (size_px - 1) / 2 + 0.25)
    return build_zlut(rings(middle, middle, z, size_px), z, backend)


def bad_rois(size_px: int = SIZE_PX) -> dict[str, np.ndarray]:
    """ROIs no position may come from, float64, by what is wrong with them."""
    rng = np.random.default_rng(7)
    noise = rng.normal(100, 4, (size_px, size_px))
    middle = np.array([size_px / 2])
    bead = rings(middle, middle, np.zeros(1), size_px)[0]
    one_nan, one_inf, cut = bead.copy(), bead.copy(), bead.copy()
    one_nan[3, 4] = np.nan
    one_inf[5, 6] = np.inf
    cut[:, : size_px // 4] = 0.0
    return {
        "zero": np.zeros_like(bead),
        "constant": np.full_like(bead, 77.0),
        "saturated": np.full_like(bead, 255.0),
        "noise": noise,
        "one NaN": one_nan,
        "all NaN": np.full_like(bead, np.nan),
        "infinite": one_inf,
        "cut by the frame's edge": cut,
    }


def check_shapes_and_types(backend: Backend) -> None:
    """One entry per ROI, in the types the rest of the product relies on, also for no ROI."""
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        for n in (0, 1, 3):
            result = backend.track(noisy_rings(3)[0][:n].astype(dtype), None)
            assert [len(getattr(result, field)) for field in _FIELDS] == [n] * len(_FIELDS)
            assert result.profiles.shape == (n, SIZE_PX // 2)
            assert (result.x_px.dtype, result.z_nm.dtype) == (np.float64, np.float64)
            assert (result.profiles.dtype, result.quality.dtype) == (np.float32, np.float32)
            assert result.reason.dtype == np.uint32
            assert np.isnan(result.z_nm).all(), "no height without a Z-LUT"
            for field in _SIGMAS:
                assert getattr(result, field).dtype == np.float32
            assert np.isnan(result.sigma_z_nm).all()


def check_standard_errors(backend: Backend) -> None:
    """The precise method says how sure it is where it has a position; the other never does."""
    stack, lut = noisy_rings(6)[0].astype(np.float64), ring_zlut(backend)
    result = backend.track(np.concatenate([stack, list(bad_rois().values())]), lut)
    for field, position in zip(_SIGMAS, (result.x_px, result.y_px, result.z_nm), strict=True):
        sigma = getattr(result, field)
        assert np.isnan(sigma[~np.isfinite(position)]).all(), field
        assert (sigma[np.isfinite(sigma)] > 0).all(), field
        if backend.method == "magtrack-compatible":
            assert np.isnan(sigma).all(), field


def check_finds_centre_and_height(backend: Backend) -> None:
    """Noisy patterns: centre to 0.1 px, height to better than the pitch of the Z-LUT."""
    stack, truth = noisy_rings(40)
    result = backend.track(stack, ring_zlut(backend))
    assert (result.reason == Reason.OK).all()
    assert (result.quality > 0.7).all()
    assert (result.quality <= 1.0).all()
    assert np.abs(result.x_px - truth[:, 0]).max() < 0.1
    assert np.abs(result.y_px - truth[:, 1]).max() < 0.1
    assert np.sqrt(np.mean((result.z_nm - truth[:, 2]) ** 2)) < 40.0


def check_integer_shift(backend: Backend) -> None:
    """A pattern moved by whole pixels is found moved by as much."""
    wide = rings(np.array([31.3]), np.array([29.6]), np.array([200.0]), SIZE_PX + 16)[0]
    corners = [(8, 8), (8, 5), (11, 8), (6, 10)]
    stack = np.stack([wide[y : y + SIZE_PX, x : x + SIZE_PX] for y, x in corners])
    result = backend.track(stack, None)
    y, x = np.array(corners).T
    assert np.ptp(result.x_px + x) < 0.02
    assert np.ptp(result.y_px + y) < 0.02


def check_gain_and_offset(backend: Backend) -> None:
    """Brightness and contrast change neither position nor height nor quality."""
    stack = noisy_rings(5)[0].astype(np.float64)
    lut = ring_zlut(backend)
    plain, other = backend.track(stack, lut), backend.track(stack * 3.7 + 411.0, lut)
    np.testing.assert_allclose(other.x_px, plain.x_px, atol=1e-6)
    np.testing.assert_allclose(other.y_px, plain.y_px, atol=1e-6)
    np.testing.assert_allclose(other.z_nm, plain.z_nm, atol=1e-3)
    np.testing.assert_allclose(other.quality, plain.quality, atol=1e-4)


def check_pixel_types_agree(backend: Backend) -> None:
    """The same values give the same rows, whatever type holds them."""
    stack, lut = noisy_rings(5)[0], ring_zlut(backend)
    expected = backend.track(stack, lut)
    for dtype in (np.uint16, np.float32, np.float64):
        assert_same(backend.track(stack.astype(dtype), lut), expected, slack=1e4)


def check_order_and_batch_size(backend: Backend) -> None:
    """A row depends on its ROI alone."""
    stack, lut = noisy_rings(9)[0], ring_zlut(backend)
    expected = backend.track(stack, lut)
    order = np.random.default_rng(3).permutation(len(stack))
    assert_same(backend.track(stack[order], lut), rows(expected, order))
    for i in range(len(stack)):
        assert_same(backend.track(stack[i : i + 1], lut), rows(expected, slice(i, i + 1)))


def check_bad_pixels(backend: Backend) -> None:
    """A bad ROI gets NaN and a reason, and its neighbours in the batch don't notice."""
    good, lut = noisy_rings(4)[0].astype(np.float64), ring_zlut(backend)
    expected = backend.track(good, lut)
    for what, bad in bad_rois().items():
        result = backend.track(np.stack([good[0], bad, *good[1:]]), lut)
        assert np.isnan([result.x_px[1], result.y_px[1], result.z_nm[1]]).all(), what
        assert result.reason[1] != Reason.OK, what
        assert result.quality[1] < 0.3, what
        assert_same(rows(result, [0, 2, 3, 4]), expected)
    only_bad = backend.track(np.stack(list(bad_rois().values())), lut)
    assert np.isnan(only_bad.x_px).all()


def check_beyond_the_zlut(backend: Backend) -> None:
    """Heights that the Z-LUT does not hold are NaN or flagged, never plausible."""
    lut = ring_zlut(backend)
    middle = np.full(6, (SIZE_PX - 1) / 2)
    part = replace(lut, z_nm=lut.z_nm[20:41], profiles=lut.profiles[20:41])  # ± 500 nm
    result = backend.track(rings(middle, middle, np.array([-900, -700, -600, 600, 700, 900])), part)
    assert np.isfinite(result.x_px).all()
    assert np.isnan(result.z_nm).all()
    assert np.isin(result.reason, (Reason.Z_OUT_OF_RANGE, Reason.POOR_MATCH)).all()


def check_pairs(backend: Backend) -> None:
    """Of two patterns side by side, one is found, or the row is not trusted; nothing in between."""
    middle = (SIZE_PX - 1) / 2
    angle = np.linspace(0, np.pi, 12)
    for apart in (9.0, 12.0):
        right, down = np.cos(angle) * apart / 2, np.sin(angle) * apart / 2
        z = np.linspace(-900, 900, len(angle))
        stack = rings(middle - right, middle - down, z) + rings(middle + right, middle + down, z)
        noise = np.random.default_rng(5).normal(0, 1.5, stack.shape)
        result = backend.track(np.rint(stack + noise).clip(1, 254).astype(np.uint8), None)
        away = np.hypot(
            np.abs(result.x_px - middle) - np.abs(right),
            np.abs(result.y_px - middle) - np.abs(down),
        )
        lies = (result.reason == Reason.OK) & ~(away < 1.0)
        assert lies.mean() <= 0.1, f"{apart} px apart: {lies.sum()} of {len(lies)} in between"


def check_transposed(backend: Backend) -> None:
    """When the image's axes change places, so do x and y; z stays."""
    stack, lut = noisy_rings(8)[0], ring_zlut(backend)
    plain, turned = backend.track(stack, lut), backend.track(stack.transpose(0, 2, 1), lut)
    np.testing.assert_array_equal(turned.reason, plain.reason)
    np.testing.assert_allclose(turned.x_px, plain.y_px, atol=2e-3)
    np.testing.assert_allclose(turned.y_px, plain.x_px, atol=2e-3)
    np.testing.assert_allclose(turned.z_nm, plain.z_nm, atol=1.0)


def check_refuses_another_zlut(backend: Backend) -> None:
    """A Z-LUT made with smaller ROIs is refused by name, not silently ignored."""
    lut = ring_zlut(backend, 32)
    message = ""
    try:
        backend.track(noisy_rings(1)[0], lut)
    except InputError as error:
        message = str(error)
    assert "32" in message, "a Z-LUT of smaller ROIs was taken"


def check_leaves_its_surroundings_alone(backend: Backend) -> None:
    """Read-only and strided input is taken and left as it is; numpy's error state, too."""
    stack = noisy_rings(6)[0]
    stack.flags.writeable = False
    state, filters = np.geterr(), list(warnings.filters)
    before = stack.copy()
    expected = backend.track(stack, None)
    assert_same(backend.track(stack[::2], None), rows(expected, slice(None, None, 2)))
    assert_same(backend.track(np.asfortranarray(stack), None), expected)
    np.testing.assert_array_equal(stack, before)
    assert np.geterr() == state
    assert list(warnings.filters) == filters


def check_threads(backend: Backend) -> None:
    """Calls from several threads at once do not disturb each other."""
    stack, lut = noisy_rings(8)[0], ring_zlut(backend)
    expected = backend.track(stack, lut)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: backend.track(stack, lut), range(12)))
    for result in results:
        assert_same(result, expected)


def rows(result: TrackResult, which: object) -> TrackResult:
    """Return the chosen rows."""
    return TrackResult(*(getattr(result, field)[which] for field in _FIELDS))


def assert_same(one: TrackResult, other: TrackResult, slack: float = 1.0) -> None:
    """Fail unless the rows agree to rounding: 1e-9 px and 1e-6 nm, times `slack`.

    Sums in single precision, taken in another order, need a slack of 1e4.
    """
    np.testing.assert_array_equal(one.reason, other.reason)
    tolerances = {"x_px": 1e-9, "y_px": 1e-9, "z_nm": 1e-6, "quality": 1e-6}
    for field, tolerance in {**tolerances, **dict.fromkeys(_SIGMAS, 1e-5)}.items():
        np.testing.assert_allclose(
            getattr(one, field),
            getattr(other, field),
            rtol=0,
            atol=min(tolerance * slack, 1e-2),
            err_msg=field,
        )
    np.testing.assert_allclose(one.profiles, other.profiles, rtol=min(1e-6 * slack, 1e-5))


#: Every check; each takes an opened backend and raises AssertionError.
BACKEND_CHECKS: tuple[Callable[[Backend], None], ...] = (
    check_shapes_and_types,
    check_standard_errors,
    check_finds_centre_and_height,
    check_integer_shift,
    check_gain_and_offset,
    check_pixel_types_agree,
    check_order_and_batch_size,
    check_bad_pixels,
    check_beyond_the_zlut,
    check_pairs,
    check_transposed,
    check_refuses_another_zlut,
    check_leaves_its_surroundings_alone,
    check_threads,
)
