"""The simulated microscope: frame k, and the truth about it, as pure functions.

Owns what a frame looks like; frame k depends on the options, k and the motor positions alone,
not on what was rendered before. Must not know pace, buffers or streaming.

How a frame is made: the background is rendered once; every frame adds noise from a bank of 2^18
normal samples, each row starting at its own place, hashed from seed, frame and row. Around every
bead the contrast of all beads is multiplied with the light; electrons get shot noise
(normal, variance = mean) and read noise from the same samples, and are rounded to counts. The
background's integers are dithered once, a fixed pattern below one count; its shot noise is that
of the mean light.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import FrameFormat
from napari_beadscope.devices.camera import check_target
from napari_beadscope.devices.simulated.field import bead_anchors, bead_heights_nm, light_map
from napari_beadscope.devices.simulated.motion import BeadMotion
from napari_beadscope.devices.simulated.optics import RadialTable, radial_table
from napari_beadscope.devices.simulated.options import SimulatedOptions, simulated_options
from napari_beadscope.devices.simulated.tether import Tether

#: Steps of the light map per its mean; it never exceeds 1.6 times the mean.
LIGHT_STEPS = 2**15
_NOISE, _DITHER = 21, 22
_BANK_BITS = 18
_MASK = 2**64 - 1
_PHOTOMETRIC = {"exposure_ms", "gain"}
_WINDOW = {"roi", "binning"}


class SimulatedMicroscope:
    """Many tethered beads in brightfield, rendered frame by frame with their ground truth.

    Heights are in nm; ``z_nm`` is a bead's height above the focal plane. Raising the focus motor
    by 1 um lowers every z by 1000 nm; a stronger magnet raises the beads, one that turns takes
    them around circles and, once their tethers buckle, down (see `tether`). Beyond the options'
    `z_range_nm` a bead's image stays that of the range's end. With a `roi` or `binning` the frames
    show a window of the same field, and places are in px of those frames. Not safe for several
    threads.

    Parameters
    ----------
    options : SimulatedOptions or dict, optional
        See `SimulatedOptions`.

    Raises
    ------
    InputError
        An option is not valid, or the beads do not fit.

    Examples
    --------
    >>> scope = SimulatedMicroscope({"height_px": 128, "width_px": 128, "beads": 1})
    >>> scope.render(3).shape, scope.truth([3]).shape
    ((128, 128), (1, 1, 3))
    """

    def __init__(self, options: SimulatedOptions | dict[str, Any] | None = None) -> None:
        self.options = simulated_options(options)
        self._anchors = bead_anchors(self.options)
        self._heights = bead_heights_nm(self.options) - self.options.focus_height_nm
        self._motion = BeadMotion(self.options)
        self._table: RadialTable = radial_table(self.options)
        level = light_map(self.options, self._table)
        self._whole_light = np.rint(level * LIGHT_STEPS).astype(np.uint16)
        shape = self._whole_light.shape
        draw = np.random.default_rng([self.options.seed, _NOISE])
        samples = draw.standard_normal(2**_BANK_BITS, dtype=np.float32)
        self._bank = np.concatenate([samples, samples[: shape[1]]])
        self._whole_starts = np.zeros(shape[0], np.int64)
        self._profile = np.zeros(self._table.contrast.shape[1] + 2, np.float32)
        self._set_exposure()
        self._set_window()

    def _set_window(self) -> None:
        """Prepare what depends on the window: light, background and room to work in, of its size.

        Pixels are those of the whole frame there, noise included.
        """
        window = self.options.window
        rows = slice(window.y0, window.y0 + window.height)
        columns = slice(window.x0, window.x0 + window.width)
        self._light = np.ascontiguousarray(self._whole_light[rows, columns])
        self._base = np.ascontiguousarray(self._whole_base[rows, columns])
        self._starts = np.zeros(window.height, np.int64)
        self._scratch = np.zeros(self._light.shape, np.float32)
        self._unbinned = np.empty(self._light.shape, self.options.dtype)
        self._window = window

    def _set_exposure(self) -> None:
        """Prepare what depends on brightness: electrons, background counts, noise in counts."""
        options = self.options
        mean = options.light_e_per_ms * options.exposure_ms
        draw = np.random.default_rng([options.seed, _DITHER])
        dither = draw.random(2**16, dtype=np.float32)
        counts = (self._whole_light * np.float32(mean * options.counts_per_e / LIGHT_STEPS)).ravel()
        # one strip after the other, turned by a different amount, shows no repeat
        for strip, first in enumerate(range(0, counts.size, dither.size)):
            part = counts[first : first + dither.size]
            part += np.roll(dither, 977 * strip)[: part.size]
        np.clip(counts, 0, options.full_scale, out=counts)
        base = counts.astype(np.int32).reshape(self._whole_light.shape)
        sigma = 0.0
        if options.noise:
            sigma = float(np.sqrt(mean + options.read_noise_e**2)) * options.counts_per_e
        noise = np.rint(self._bank * np.float32(sigma)).astype(np.int32)
        dtype = np.dtype(options.dtype)
        self._whole_base = base.astype(dtype)
        low, high = int(noise.min()), int(noise.max())
        self._clips = int(base.min()) + low < 0 or int(base.max()) + high > options.full_scale
        # wrapping addition: as long as no sum leaves the range, -1 is the largest value
        self._counts_bank = noise if self._clips else noise.astype(dtype)

    @property
    def format(self) -> FrameFormat:
        """Size and type of the frames."""
        return FrameFormat(*self.options.window.shape, self.options.dtype)

    def with_options(self, **changes: Any) -> SimulatedMicroscope:
        """Return a microscope with some options changed; this one must not be used afterwards.

        A change of exposure, gain, ROI or binning alone takes over everything else.
        """
        changed = self.options.changed(**changes)
        if not set(changes) <= _PHOTOMETRIC | _WINDOW | {"fps", "buffer_frames"}:
            return SimulatedMicroscope(changed)
        new = object.__new__(SimulatedMicroscope)
        new.__dict__.update(self.__dict__)
        new.options = changed
        if {"fps", "exposure_ms"} & set(changes):
            new._motion = BeadMotion(changed)
        if _PHOTOMETRIC & set(changes):
            new._set_exposure()
        if (_PHOTOMETRIC | _WINDOW) & set(changes):
            new._set_window()
        return new

    @property
    def tether(self) -> Tether:
        """What holds the beads: force, extension and springs by where the magnet is."""
        return self._motion.tether

    def bead_positions_px(self) -> np.ndarray:
        """Return the beads' nominal places ``(beads, 2)`` as x, y in px of the frames."""
        return self._in_frame(self._anchors.copy())

    def truth(
        self,
        frame_numbers: Any,
        focus_um: float | np.ndarray = 0.0,
        magnet_mm: float | np.ndarray = 0.0,
        turns: float | np.ndarray = 0.0,
    ) -> np.ndarray:
        """Return where every bead is in the given frames.

        Parameters
        ----------
        frame_numbers : sequence of int (n,)
            Camera frame numbers, in any order.
        focus_um, magnet_mm, turns : float or ndarray (n,)
            Positions of the motors focus, magnet and rotation in those frames.

        Returns
        -------
        ndarray (n, beads, 3) float64
            x_px, y_px in pixels of the frames, pixel centres at integers; z_nm above the focus:
            means over the exposure.
            Beads outside the window of the sensor have places outside the frame.
        """
        frames = np.atleast_1d(np.asarray(frame_numbers, np.int64))
        motors = [
            np.broadcast_to(np.asarray(one, float), frames.shape).tolist()
            for one in (focus_um, magnet_mm, turns)
        ]
        result = np.empty((len(frames), self.options.beads, 3))
        for row, (frame, *at) in enumerate(zip(frames.tolist(), *motors, strict=True)):
            result[row] = self._positions(frame, *at)
        return self._in_frame(result)

    def _in_frame(self, places: np.ndarray) -> np.ndarray:
        """Turn places x, y on the sensor to places in the frame, in place."""
        window = self._window
        places[..., 1], places[..., 0] = window.in_frame(places[..., 1], places[..., 0])
        return places

    def _positions(self, frame: int, focus_um: float, magnet_mm: float, turns: float) -> np.ndarray:
        """Return places ``(beads, 3)`` on the sensor."""
        places = self._motion.offsets_nm(frame, magnet_mm, turns)
        places[:, :2] /= self.options.nm_per_px
        places[:, :2] += self._anchors
        places[:, 2] += self._heights - focus_um * 1000
        return places

    def render(
        self,
        k: int,
        focus_um: float = 0.0,
        magnet_mm: float = 0.0,
        out: np.ndarray | None = None,
        turns: float = 0.0,
    ) -> np.ndarray:
        """Return frame `k` ``(y, x)``, written to `out` if given.

        Raises
        ------
        DeviceError
            `out` does not have the frames' shape and dtype.
        """
        from napari_beadscope.devices.simulated import kernels

        if out is None:
            out = np.empty(self.format.shape, self.options.dtype)
        else:
            check_target(out, self.format)
        options = self.options
        key = np.uint64((options.seed * 0xD1342543DE82EF95 + k * 0x2545F4914F6CDD1D + 1) & _MASK)
        kernels.row_starts(key, _BANK_BITS, self._whole_starts)
        window = self._window
        rows = slice(window.y0, window.y0 + window.height)
        np.add(self._whole_starts[rows], window.x0, out=self._starts)
        image = out if window.binning == 1 else self._unbinned
        if self._clips:
            kernels.add_noise_clipped(
                self._base, self._counts_bank, self._starts, options.full_scale, image
            )
        else:
            kernels.add_noise(self._base, self._counts_bank, self._starts, image)
        if options.beads:
            places = self._positions(int(k), focus_um, magnet_mm, turns)
            places[:, :2] -= (window.x0, window.y0)
            self._render_beads(places, image)
        if window.binning > 1:
            kernels.bin_mean(image, window.binning, out)
        return out

    def warm_up(self) -> None:
        """Compile all that any exposure and binning need: no frame is to wait for that."""
        from napari_beadscope.devices.simulated import kernels

        self.render(0)
        some = np.zeros((2, 2), self.options.dtype)
        noise, starts = np.zeros(2, np.int32), np.zeros(2, np.int64)
        kernels.add_noise_clipped(some, noise, starts, self.options.full_scale, some.copy())
        kernels.bin_mean(some, 2, some[:1, :1].copy())

    def _render_beads(self, places: np.ndarray, out: np.ndarray) -> None:
        from napari_beadscope.devices.simulated import kernels

        options = self.options
        kernels.paint_beads(
            *self._optics(),
            places,
            self._profile,
            self._scratch,
            self._light,
            options.light_e_per_ms * options.exposure_ms / LIGHT_STEPS,
            self._bank,
            self._starts,
            options.counts_per_e,
            options.read_noise_e**2 if options.noise else -1.0,
            options.full_scale,
            out,
        )

    def _optics(self) -> tuple[np.ndarray, float, float, np.ndarray, float]:
        table = self._table
        per_px = self.options.nm_per_px / table.r_step_nm
        return table.contrast, table.z_first_nm, table.z_step_nm, table.support, per_px

    def focus_sweep(
        self,
        z_nm: Any,
        bead: int = 0,
        size_px: int = 64,
        offset_px: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """Return a noise-free stack ``(n, y, x)`` of one bead at the given heights.

        The bead stands still at the centre, ``(size_px - 1) / 2``, on the light at its anchor,
        without other beads or dirt: what a Z-LUT is built from. Radial profiles of pixels depend
        a little on where between pixels the centre is, so a good Z-LUT averages several offsets.

        Parameters
        ----------
        z_nm : sequence of float (n,)
            Heights above the focal plane, as in `truth`.
        bead : int
            Which bead's place in the light.
        size_px : int
            Edge of the square images.
        offset_px : (x, y)
            Added to the centre.

        Returns
        -------
        ndarray (n, y, x)
            Of the camera's dtype.

        Raises
        ------
        InputError
            There is no such bead.
        """
        from napari_beadscope.devices.simulated import kernels

        if not 0 <= bead < self.options.beads:
            raise InputError(f"there is no bead {bead}", f"there are {self.options.beads}")
        heights = np.atleast_1d(np.asarray(z_nm, np.float64))
        column, row = np.rint(self._anchors[bead]).astype(int)
        around = self._whole_light[max(row - 60, 0) : row + 61, max(column - 60, 0) : column + 61]
        mean = self.options.light_e_per_ms * self.options.exposure_ms * self.options.counts_per_e
        lamp = float(np.median(around)) / LIGHT_STEPS * mean
        stack = np.empty((len(heights), size_px, size_px), self.options.dtype)
        binning = self.options.binning
        edge = size_px * binning
        centre = (edge - 1) / 2
        x, y = (centre + offset * binning for offset in offset_px)
        for index, height in enumerate(heights):
            contrast = np.zeros((edge, edge), np.float32)
            kernels.add_beads(*self._optics(), np.array([[x, y, height]]), self._profile, contrast)
            counts = np.clip(np.rint(lamp * (1 + contrast)), 0, self.options.full_scale)
            kernels.bin_mean(counts.astype(self.options.dtype), binning, stack[index])
        return stack
