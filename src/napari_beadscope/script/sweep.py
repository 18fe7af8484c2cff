"""A Z-LUT from a live focus sweep: move, wait, capture, look, go back, build, write, load.

Owns the order of things and that the focus comes back. How a Z-LUT is made and what is pure about
a sweep is in `tracking`; what is written in `script.swept`. Must not know Qt or napari.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.errors import DeviceError, InputError, StateError
from napari_beadscope.core.types import Bead
from napari_beadscope.script.claiming import Claiming
from napari_beadscope.script.configure import number, recording_folder, whole_number
from napari_beadscope.script.crops import CropReader
from napari_beadscope.script.experiment import Experiment
from napari_beadscope.script.instruments import Instruments
from napari_beadscope.script.swept import Captured, SweptPlane, ZLutSweep, build_swept, refuse_old

if TYPE_CHECKING:
    from napari_beadscope.tracking.backend import Backend
    from napari_beadscope.tracking.sweeping import SweepPlan

#: Beads that are swept unless they are named: building takes a second or more for each.
MOST_BEADS = 5
#: Pixels in memory at a time.
_MOST_BYTES = 2 << 30
#: At the middle of the range, before and after: tells drift.
_CHECK_FRAMES = 40
_WHY = "a Z-LUT sweep"
_UM_PER_UNIT = {"um": 1.0, "mm": 1000.0}

Tell = Callable[[float, float, str], None]


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """What is asked for, checked."""

    beads: tuple[Bead, ...]
    plan: SweepPlan
    frames: int
    motor: str
    um_per_unit: float
    settle_s: float
    folder: Path


class Sweeper(Experiment, Claiming, Instruments):
    """Makes Z-LUTs with the microscope that is attached."""

    def sweep_zlut(
        self,
        beads: Iterable[int] | None = None,
        *,
        low_um: float = -1.5,
        high_um: float = 1.5,
        step_nm: float = 50.0,
        frames_per_step: int = 10,
        folder: str | Path | None = None,
        name: str = "",
        motor: str = "focus",
        settle_s: float = 0.05,
        load: bool = True,
        on_plane: Callable[[SweptPlane], None] | None = None,
        progress: Tell | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> ZLutSweep:
        """Sweep the focus over beads that rest, make their Z-LUT, and measure z with it.

        The focus comes back to where it was, also when this program is killed; unless somebody
        stops the motor, which ends the sweep. Until then nobody else moves it and nothing is
        recorded. z = 0 is a bead's height at the
        start; of several beads one common Z-LUT is made and loaded.

        Parameters
        ----------
        beads : iterable of int, optional
            IDs; default up to 5 of those whose ROIs overlap no other.
        low_um, high_um : float
            From where to where, um above the present position of the motor (negative: below).
        step_nm : float
            Distance between planes.
        frames_per_step : int
            Frames of every plane, exposed after the motor has come to rest and `settle_s` more.
        folder : path, optional
            Gets ``zlut_<bead>.txt``, of several beads ``zlut.txt``, a picture, and ``sweep.yaml``
            with what they are good for; made if need be. Nothing in it is replaced. With `name`
            it gets a new folder ``<date>_<name>`` for them; default ``<date>_zlut`` in the folder
            of the settings.
        motor : str
            The one that moves the focus; in um or mm.
        settle_s : float
            Wait after each move.
        load : bool
            Whether to measure z with the result from now on.
        on_plane : callable, optional
            Called with every plane as it is captured.
        progress : callable, optional
            Called with how much is done, of how much, and what comes next.
        cancelled : callable, optional
            Asked several times a second; once it returns True the sweep ends with `StateError`.
            What these three raise ends the sweep, too, and goes on to the caller.

        Raises
        ------
        InputError
            There are no such beads or there is no such motor, the range leaves its limits, files
            would be replaced, or the frames make no Z-LUT.
        StateError
            A recording is on, the Z-lock or another program has the motor; the camera's format
            changes; it was cancelled.
        DeviceError
            The motor fails, or was stopped by somebody.
        """
        if folder is None:
            name = name or "zlut"
        path = recording_folder(folder, name, self.settings)
        order = self._sweep_order(
            beads, (low_um, high_um, step_nm), frames_per_step, path, motor, settle_s
        )
        watch = _Watch(self, order, progress, cancelled)
        with self.claimed(motor, _WHY, order.plan.start_um / order.um_per_unit):
            watch.tell(0, "first look")
            if not self._view.streaming:
                self.start_live()
            captured = self._capture(order, watch, on_plane)
        swept = build_swept(captured, order.folder, watch.built)
        if load:
            self.set_calibration(zlut=swept.zlut)
        return swept

    # --- what is asked for ----------------------------------------------------------------

    def _sweep_order(
        self,
        beads: Iterable[int] | None,
        way: tuple[float, float, float],
        frames: int,
        path: Path,
        motor: str,
        settle_s: float,
    ) -> SweepOrder:
        from napari_beadscope.tracking.sweeping import plan_sweep

        self._attached()
        chosen = self._beads_to_sweep(beads)
        self._view.motor(motor)  # or raise who there is
        reading = next((one for one in self.motors() if one.info.name == motor), None)
        if reading is None or reading.info.unit not in _UM_PER_UNIT:
            raise InputError(f"the {motor} motor cannot move the focus", "choose one in um or mm")
        if reading.moving:
            raise StateError(f"the {motor} motor is moving", "wait until it rests, or stop it")
        scale, info = _UM_PER_UNIT[reading.info.unit], reading.info
        low, high, step = (
            number(name, value) for name, value in zip(("low_um", "high_um", "step_nm"), way)
        )
        limits = (info.low * scale, info.high * scale)
        plan = plan_sweep(reading.position * scale, low, high, step, limits)
        count = whole_number("frames_per_step", frames)
        if not 1 <= count <= 1000:
            raise InputError(f"frames_per_step is {count}", "choose 1 to 1000")
        settle = number("settle_s", settle_s)
        if not 0 <= settle <= 60:
            raise InputError(f"settle_s is {settle:g}", "choose 0 to 60 s")
        size = chosen[0].roi.size
        item = np.dtype(self.format.dtype).itemsize
        need = len(plan.positions_um) * count * len(chosen) * size**2 * item
        if need > _MOST_BYTES:
            raise InputError(
                f"the sweep would take {need / 1e9:.1f} GB of memory",
                "choose fewer beads, frames or planes",
            )
        refuse_old(path, chosen)
        return SweepOrder(chosen, plan, count, motor, scale, settle, path)

    def _beads_to_sweep(self, beads: Iterable[int] | None) -> tuple[Bead, ...]:
        from napari_beadscope.tracking.sweeping import standing_alone

        known = {bead.bead: bead for bead in self.beads}
        if not known:
            raise StateError("there are no beads to sweep", "find or add beads")
        if beads is None:
            return (standing_alone(self.beads) or self.beads)[:MOST_BEADS]
        ids = list(dict.fromkeys(beads))
        missing = [str(one) for one in ids if one not in known]
        if missing or not ids:
            what = f"there is no bead {', '.join(missing)}" if missing else "no bead is chosen"
            raise InputError(what, f"there are {', '.join(map(str, known))}")
        return tuple(known[one] for one in ids)

    # --- the sweep --------------------------------------------------------------------------

    def _capture(
        self, order: SweepOrder, watch: _Watch, on_plane: Callable[[SweptPlane], None] | None
    ) -> Captured:
        """Return all ROIs that were captured; the focus is anywhere then."""
        from napari_beadscope.tracking.backend import open_backend
        from napari_beadscope.tracking.sweeping import SweepTimes

        backend = open_backend("cpu", method="precise")
        reader = CropReader(self._view, [bead.roi for bead in order.beads])
        plan, planes = order.plan, len(order.plan.positions_um)
        before, before_s = self._look(order, watch, reader, plan.middle_um, _CHECK_FRAMES)
        self._go(order, watch, plan.run_up_um)
        stacks, planes_s = [], []
        for place, position in enumerate(plan.positions_um):
            watch.tell(place, f"plane {place + 1} of {planes}")
            crops, when_s = self._visit(order, watch, reader, float(position), order.frames)
            stacks.append(crops)
            planes_s.append(when_s)
            if on_plane is not None:
                on_plane(_plane(order, place, crops, backend))
        watch.tell(planes, "last look")
        after, after_s = self._look(order, watch, reader, plan.middle_um, _CHECK_FRAMES)
        times = SweepTimes(plan.heights_nm, np.array(planes_s), before_s, after_s)
        stack = np.concatenate(stacks)
        return Captured(order.beads, plan, stack, before, after, order.frames, times)

    def _look(
        self, order: SweepOrder, watch: _Watch, reader: CropReader, where_um: float, frames: int
    ) -> tuple[np.ndarray, float]:
        self._go(order, watch, order.plan.run_up_um)
        return self._visit(order, watch, reader, where_um, frames)

    def _go(self, order: SweepOrder, watch: _Watch, where_um: float) -> float:
        """Move there and return where that is, in the motor's unit."""
        target = where_um / order.um_per_unit
        self.move(order.motor, target, cancelled=watch.cancelled)
        watch.check()
        return target

    def _visit(
        self, order: SweepOrder, watch: _Watch, reader: CropReader, where_um: float, frames: int
    ) -> tuple[np.ndarray, float]:
        """Return ROIs ``(frames, beads, y, x)`` with the focus at rest at `where_um`, and when."""
        target = self._go(order, watch, where_um)
        losses = self._view.losses(f"motor-{order.motor}")
        # A frame's stamp may be from before or after its exposure: one period more is safe.
        period_s = 1 / max(self.status().nominal_fps, 0.1)
        rest_ns = int(self._view.motor(order.motor)["time_ns"])
        since_ns = rest_ns + int((order.settle_s + period_s) * 1e9)
        patience_s = 5.0 + 3 * period_s + order.settle_s
        taken = reader.take(frames, since_ns, patience_s, watch.check)
        now = self._view.motor(order.motor)
        if now["target"] != target or self._view.losses(f"motor-{order.motor}") != losses:
            raise DeviceError(
                f"the {order.motor} motor was moved or its process died during the sweep",
                "leave it alone until the sweep has ended, and start again",
            )
        return taken


class _Watch:
    """Tells how far the sweep is, and ends it when it is to end."""

    def __init__(
        self,
        scope: Sweeper,
        order: SweepOrder,
        progress: Tell | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._scope, self._progress, self._cancelled = scope, progress, cancelled
        self._motor = order.motor
        self._planes, self._beads = len(order.plan.positions_um), len(order.beads)
        self._per_bead = 0.25 * self._planes / max(1, self._beads)  # building takes a fifth

    def tell(self, done: float, text: str) -> None:
        if self._progress is not None:
            self._progress(done, self._planes + self._per_bead * self._beads, text)
        self.check()

    def built(self, beads: int) -> None:
        """Tell that the Z-LUTs of so many beads are made."""
        if self._progress is not None:
            done = self._planes + self._per_bead * beads
            total = self._planes + self._per_bead * self._beads
            self._progress(done, total, f"Z-LUT {min(beads + 1, self._beads)} of {self._beads}")
        if self.cancelled():
            raise StateError("the Z-LUT sweep was cancelled", "nothing was written")

    def cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()

    def check(self) -> None:
        """Raise unless the sweep may go on."""
        if self.cancelled():
            raise StateError("the Z-LUT sweep was cancelled", "nothing was written")
        motors = self._scope._view.motors
        if not any(one.name == self._motor and one.claimed == _WHY for one in motors):
            raise DeviceError(
                f"the {self._motor} motor was taken from the sweep: it was stopped, or its process "
                "failed for good",
                "look where it is, then start again",
            )


def _plane(order: SweepOrder, place: int, crops: np.ndarray, backend: Backend) -> SweptPlane:
    from napari_beadscope.tracking.sweeping import typical_profile

    profiles, frames = {}, {}
    for row, bead in enumerate(order.beads):
        result = backend.track(np.ascontiguousarray(crops[:, row]), None)
        profiles[bead.bead], frames[bead.bead] = typical_profile(result)
    plan = order.plan
    return SweptPlane(
        place + 1,
        len(plan.positions_um),
        float(plan.positions_um[place]),
        float(plan.heights_nm[place]),
        profiles,
        frames,
    )
