"""Which cameras the Camera dock offers: the kinds that need no hardware, and those found.

Owns the list and the search that fills it. Must not know Qt, nor any camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_beadscope.ui.jobs import Job, JobLane, Outcome
from napari_beadscope.ui.presenters.fields import Field
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    from napari_beadscope.devices import DeviceInfo

SIMULATED = "simulated"
REPLAY = "replay"
#: The line for a camera that no search finds.
OTHER = "other"
_BUILT_IN = (SIMULATED, REPLAY)


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list of cameras."""

    camera_id: str
    label: str
    available: bool = True
    tip: str = ""


class CameraChoices:
    """The lines of the list, and the search for cameras that are connected.

    Parameters
    ----------
    session : Session
        Shared by all docks of the viewer.
    """

    #: The lines have changed, or a search began or ended.
    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lane = JobLane(session.launch, lambda _: None)
        self._found: tuple[DeviceInfo, ...] = ()
        self.searching = False

    def search(self) -> None:
        """Look for cameras that are connected; takes seconds, and holds nobody up."""
        if self.searching:
            return
        self.searching = True
        self.changed.emit()
        self._lane.submit(Job("Looking for cameras", _find, self._has_found, self._failed))

    def lines(self, present: str) -> tuple[Choice, ...]:
        """Return the cameras that can be chosen, those that cannot last; `present` is one."""
        lines = [
            Choice(SIMULATED, "Simulated microscope", tip="Beads by wave optics; no hardware"),
            Choice(REPLAY, "Replay a file", tip="A recording or a folder of images as a camera"),
        ]
        hardware = [one for one in self._found or _kinds() if _prefix(one.id) not in _BUILT_IN]
        if self._found:
            lines += [Choice(one.id, one.label, tip=one.id) for one in hardware if one.available]
        if present not in [OTHER, *(one.camera_id for one in lines)]:
            lines.append(Choice(present, present, tip="The camera of this ID"))
        lines.append(Choice(OTHER, "Another, by its ID…", tip=id_field("").tip))
        lines += [
            Choice(one.id, one.label, False, f"Not here: {one.why_not}")
            for one in hardware
            if not one.available
        ]
        return tuple(lines)

    def summary(self) -> str:
        """Return what the last search came to in a few words."""
        here = sum(one.available and _prefix(one.id) not in _BUILT_IN for one in self._found)
        return f"{here or 'no'} camera{'s' if here != 1 else ''} found" if self._found else ""

    def _has_found(self, found: tuple[DeviceInfo, ...]) -> None:
        self.searching, self._found = False, found
        self.changed.emit()

    def _failed(self, outcome: Outcome) -> None:
        self.searching = False
        self.changed.emit()
        if outcome.error is not None:
            self._session.fail(outcome.error, outcome.traceback, "Looking for cameras")


def id_field(value: str) -> Field:
    """Return the field in which a camera's ID is typed."""
    forms = ", ".join(one.id for one in _kinds() if _prefix(one.id) not in _BUILT_IN)
    tip = f"{forms}, or a class of your own: path/to/file.py:ClassName"
    return Field("id", "ID", "text", value, tip=tip)


def _kinds() -> tuple[DeviceInfo, ...]:
    from napari_beadscope.devices import list_cameras

    return list_cameras()


def _find() -> tuple[DeviceInfo, ...]:
    from napari_beadscope.devices import find_cameras

    return find_cameras()


def _prefix(camera_id: str) -> str:
    return camera_id.partition(":")[0]
