"""The Z-LUT dock's mind: what the present Z-LUT is good for, and a guided focus sweep.

Owns the choices of a sweep and the planes that have come. Must not know Qt.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.types import Bead
from napari_beadscope.script.sweep import MOST_BEADS
from napari_beadscope.ui.jobs import Progress
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.ports import ScopePort
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    from napari_beadscope.script.swept import SweptPlane, ZLutSweep
    from napari_beadscope.tracking.zlut_report import ZLutReport

SWEEPING = "Sweeping the focus"
CHOICES = {
    "alone": "those standing alone",
    "selected": "those selected",
    "all": "all",
}
_UM_PER_UNIT = {"um": 1.0, "mm": 1000.0}
_MOVE_S = 0.1  # a step of the focus with its settling, about


@dataclass(frozen=True, slots=True)
class SweepChoices:
    """What a sweep is to be like; µm about where the focus is, nm between planes."""

    beads: str = "alone"
    motor: str = "focus"
    low_um: float = -1.5
    high_um: float = 1.5
    step_nm: float = 50.0
    frames: int = 10


@dataclass(frozen=True, slots=True, eq=False)
class PresentZLut:
    """The Z-LUT in use: its file, what it is good for, and that in words."""

    path: Path
    report: ZLutReport
    rows: tuple[tuple[str, str], ...]


class ZLutPresenter:
    """What the Z-LUT dock shows and does.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.

    Attributes
    ----------
    changed : Signal
        Another Z-LUT is shown, or none.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._beads = BeadsPresenter(session)
        self.present: PresentZLut | None = None
        self.choices = SweepChoices()
        self.planes: list[SweptPlane] = []
        self._incoming: SimpleQueue[SweptPlane] = SimpleQueue()
        self._read = ""  # the path that `present` was read from

    # the present one

    def follow(self, _: Any = None) -> None:
        """Show the Z-LUT of the calibration, if that is another one now."""
        path = self._session.model.calibration.zlut
        if path == self._read:
            return
        self._read = path
        if not path:
            self._took(None)
            return
        self._session.run("Reading the Z-LUT", lambda: read_zlut(Path(path)), self._took)

    def choose(self, path: str) -> None:
        """Measure z with this file; '' measures none."""
        if path and self._session.scope is None:  # nobody else looks into it now
            self._session.run(
                "Reading the Z-LUT",
                lambda: read_zlut(Path(path)),
                lambda _: self._beads.set_zlut(path),
            )
            return
        self._beads.set_zlut(path)

    def _took(self, present: PresentZLut | None) -> None:
        self.present = present
        self.changed.emit()

    # the sweep

    @property
    def sweeping(self) -> bool:
        """Whether a sweep goes on."""
        return bool(why_swept(self._session))

    def motors(self) -> tuple[str, ...]:
        """Return the motors that can move the focus."""
        scope = self._session.scope
        if scope is None:
            return ()
        try:
            readings = scope.motors()
        except BeadscopeError:  # the engine has just gone, which is told elsewhere
            return ()
        return tuple(one.info.name for one in readings if one.info.unit in _UM_PER_UNIT)

    def beads(self) -> tuple[Bead, ...]:
        """Return the beads that would be swept."""
        from napari_beadscope.tracking.sweeping import standing_alone

        model = self._session.model
        if self.choices.beads == "selected":
            return tuple(bead for bead in model.beads if bead.bead in model.selected)
        if self.choices.beads == "alone":
            return standing_alone(model.beads)[:MOST_BEADS]
        return model.beads

    def why_not(self) -> str:
        """Return why no sweep can begin now, '' if one can."""
        model = self._session.model
        if self._session.scope is None:
            return "There is no microscope to sweep: press Live first"
        if model.job is not None:
            return f"{model.job.label}: wait until that is done"
        if not model.live:
            return "The camera is paused: press Live first"
        if model.recording is not None:
            return "A sweep would disturb the recording: stop it first"
        lock = model.locks.z
        if lock is not None and lock.motor == self.choices.motor:
            return "The Z-lock moves the focus: switch it off in the Locks dock first"
        claimed = why_claimed(self._session)
        if claimed:
            return claimed
        if not model.beads:
            return "There are no beads to sweep: find or add some"
        if not self.beads():
            return {
                "selected": "No bead is selected: select some in the Beads dock or the viewer",
                "alone": "No bead stands alone (every ROI overlaps another): choose others",
            }.get(self.choices.beads, "There are no beads to sweep")
        if self.choices.motor not in self.motors():
            return "There is no motor that moves the focus: add one in the Hardware dock"
        if self.plane_count() < 7:
            return "Choose a longer range or a smaller step: a Z-LUT needs 7 planes or more"
        return ""

    def plane_count(self) -> int:
        """Return how many planes the chosen range and step make."""
        one = self.choices
        if one.step_nm <= 0 or one.high_um <= one.low_um:
            return 0
        return math.floor((one.high_um - one.low_um) * 1000 / one.step_nm + 1e-6) + 1

    def estimate(self) -> str:
        """Return what the sweep will take, in one line."""
        planes, beads = self.plane_count(), len(self.beads())
        text = f"{planes} planes × {self.choices.frames} frames, {beads} bead{'s' * (beads != 1)}"
        status = self._session.model.status
        fps = 0.0 if status is None else status.fps or status.nominal_fps
        if fps <= 0 or not planes or not beads:
            return text
        seconds = (planes * self.choices.frames + 80) / fps + planes * (_MOVE_S + 1 / fps)
        return f"{text}: {_time_text(seconds)}, then computing"

    def start(self) -> None:
        """Sweep as chosen; then z is measured with what came out."""
        one, ids = self.choices, [bead.bead for bead in self.beads()]
        folder = self._session.model.root / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_zlut"
        self.planes.clear()
        self._incoming = incoming = SimpleQueue[Any]()

        def work(scope: ScopePort, progress: Progress) -> ZLutSweep:
            def cancelled() -> bool:
                progress.check()
                return False

            # An attachment of its own: the focus comes back also when the viewer has closed.
            own = scope.again()
            try:
                swept: ZLutSweep = own.sweep_zlut(
                    ids,
                    low_um=one.low_um,
                    high_um=one.high_um,
                    step_nm=one.step_nm,
                    frames_per_step=one.frames,
                    folder=folder,
                    motor=one.motor,
                    on_plane=incoming.put,
                    progress=progress,
                    cancelled=cancelled,
                )
                return swept
            finally:
                own.detach()

        self._session.jobs.on_scope(SWEEPING, work, self._swept)

    def take_planes(self) -> bool:
        """Take in the planes that have come; return whether there were any."""
        before = len(self.planes)
        while True:
            try:
                self.planes.append(self._incoming.get_nowait())
            except Empty:
                return len(self.planes) > before

    def _swept(self, swept: ZLutSweep) -> None:
        self.take_planes()  # those that nobody has looked at yet
        self.planes.clear()
        model = self._session.model
        if model.calibration.zlut != str(swept.zlut):
            model.calibration = type(model.calibration)(
                model.calibration.nm_per_px, str(swept.zlut)
            )
        self._session.say(Message("info", swept_sentence(swept), time.time()))


def why_swept(session: Session) -> str:
    """Return why the focus is not free for other things, '' if it is."""
    job = session.model.job
    if job is None or job.label != SWEEPING:
        return ""
    return "A sweep is moving the focus: wait until it is done, or cancel it in the Z-LUT dock"


def why_claimed(session: Session, motor: str = "") -> str:
    """Return why a motor, or that one, is not free, whichever program has it; '' if it is."""
    swept, scope = why_swept(session), session.scope
    if swept or scope is None:
        return swept
    try:
        infos = [one.info for one in scope.motors()]
    except BeadscopeError:  # the engine has just gone, which is told elsewhere
        return ""
    busy = next((one for one in infos if one.claimed and motor in ("", one.name)), None)
    if busy is None:
        return ""
    return (
        f"The {busy.name} motor is busy with {busy.claimed}: wait until that is done, or stop the "
        "motor in the Hardware dock"
    )


def read_zlut(path: Path) -> PresentZLut:
    """Return a Z-LUT from its file with its report.

    Raises
    ------
    InputError
        It cannot be read, or is no Z-LUT.
    """
    from napari_beadscope.tracking import ZLut
    from napari_beadscope.tracking.zlut import load_notes
    from napari_beadscope.tracking.zlut_words import report_from_notes

    zlut = ZLut.load(path)
    report = report_from_notes(zlut, load_notes(path))
    return PresentZLut(path, report, report_lines(report))


def report_lines(report: ZLutReport) -> tuple[tuple[str, str], ...]:
    """Return what a Z-LUT is good for, in lines that fit into a dock: name and value each."""
    zlut = report.zlut
    z_um = np.sort(zlut.z_nm) / 1000
    pitch = float(np.abs(np.diff(zlut.z_nm)).mean())
    low, high = report.usable_nm
    best, worst = report.usable_sigma_nm
    usable = "none: z is nowhere unique"
    if math.isfinite(low):
        usable = f"{_signed(low / 1000)} to {_signed(high / 1000)} µm"
    rows = [
        ("Planes", f"{zlut.planes}, {pitch:.3g} nm apart"),
        ("Range", f"{_signed(z_um[0])} to {_signed(z_um[-1])} µm"),
        ("Usable", usable),
        ("Reach", f"{zlut.reach_px:g} px: ROIs up to {zlut.size_px} px"),
    ]
    if math.isfinite(best):
        whose = "one frame" if report.noise_known else "one frame, noise guessed"
        rows.append(("Precision", f"{best:.2g} to {worst:.2g} nm ({whose})"))
    own = report.error_nm[report.first : report.last + 1]
    if len(own) and np.isfinite(own).all():
        rows.append(("Own error", f"up to {own.max():.2g} nm"))
    return tuple(rows)


def swept_sentence(swept: ZLutSweep) -> str:
    """Return what a sweep has given, in one sentence."""
    low, high = swept.report.usable_nm
    _, worst = swept.report.usable_sigma_nm
    beads = f"{len(swept.files)} bead{'s' * (len(swept.files) != 1)}"
    text = (
        f"Z-LUT of {beads} loaded: z from {_signed(low / 1000)} to {_signed(high / 1000)} µm, "
        f"{worst:.2g} nm or better in one frame"
    )
    if swept.drift_nm:
        text += f"; {abs(swept.drift_nm):.0f} nm of drift taken off"
    if swept.failed:
        text += f"; none of bead {', '.join(map(str, swept.failed))}"
    return f"{text} ({swept.zlut})"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _time_text(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.1f} min"
