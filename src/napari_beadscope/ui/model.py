"""What is true in one viewer's session, as one evented model.

Owns the values that docks show. Written only from the GUI thread, by the session and the
presenters. Must not know Qt, napari or how to talk to an engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from psygnal import SignalGroupDescriptor

from napari_beadscope.core.locks import Locks
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import AcquisitionMode, Annotation, Bead, Calibration, FrameFormat
from napari_beadscope.ui.bead_history import BeadHistory
from napari_beadscope.ui.candidates import Candidates, Criteria

#: ROI side in px of a bead added by click before any bead was found.
DEFAULT_ROI_PX = 64


class Phase(str, Enum):
    """Whether there is an engine behind the docks."""

    NONE = "no engine"
    STARTING = "starting"
    READY = "ready"
    LOST = "engine lost"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing the user should know."""

    severity: str  # 'info', 'warning' or 'error'
    text: str
    time_s: float  # seconds since the epoch
    traceback: str = ""
    count: int = 1  # how often it came in a row


@dataclass(frozen=True, slots=True)
class ScreenRate:
    """How often the screen is updated and what it left out."""

    fps: float = 0.0
    shown: int = 0
    skipped: int = 0  # frames of the camera that were never shown
    update_ms: float = 0.0  # GUI-thread time of one update, mean of the last second


@dataclass(frozen=True, slots=True)
class JobState:
    """A long job that runs, and how far it is."""

    label: str
    fraction: float | None = None  # None: not known
    text: str = ""
    cancelling: bool = False


@dataclass
class SessionModel:
    """All values of one session; ``events`` has one signal per field.

    Examples
    --------
    >>> model = SessionModel()
    >>> _ = model.events.live.connect(lambda live: seen.append(live))
    >>> seen = []
    >>> model.live = True
    >>> seen
    [True]
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    phase: Phase = Phase.NONE
    busy: str = ""  # what is being done, '' when nothing is
    job: JobState | None = None  # the long job that runs
    live: bool = False
    camera_id: str = "simulated"
    options: dict[str, Any] = field(default_factory=dict)
    properties: tuple[Any, ...] = ()
    engines: tuple[Any, ...] = ()
    status: Any = None
    answer_age_s: float = 0.0
    beads: tuple[Bead, ...] = ()
    wanted_beads: tuple[Bead, ...] | None = None  # edited, and not yet agreed by the engine
    history: BeadHistory = BeadHistory()  # of edits of the beads
    selected: frozenset[int] = frozenset()
    adding: bool = False  # a click in the image adds a bead
    candidates: Candidates | None = None  # found by a search, and not yet taken
    criteria: Criteria = Criteria()  # by which candidates are taken
    annotations: dict[int, Annotation] = field(default_factory=dict)  # replaced, never changed
    locked: frozenset[int] = frozenset()  # beads that the XY-lock moves
    locks: Locks = Locks()  # what was asked for, and how it goes
    settings: Settings = Settings()  # as they are saved for this microscope
    settings_in_use: Settings | None = None  # those of the engine, None without one
    profiles: tuple[str, ...] = ()
    settings_changes: dict[str, Any] = field(default_factory=dict)  # not saved yet, by name
    roi_size_px: int = 0  # 0: what suits the beads that are found
    click_roi_px: int = DEFAULT_ROI_PX  # of a bead added by click, as long as nothing else says
    calibration: Calibration = Calibration()
    method: str = ""  # of tracking; '' leaves it to the settings
    mode: AcquisitionMode = AcquisitionMode.TRACK_FULL
    root: Path = field(default_factory=lambda: Path.home() / "beadscope")
    name: str = "recording"
    note: str = ""  # kept with the recording
    limit_kind: str = "stopped"  # how a recording ends: 'stopped' by hand, 'time' or 'frames'
    limit_s: float = 60.0
    limit_frames: int = 1000
    recording: Path | None = None
    recorded_s: float = 0.0
    last_recording: Path | None = None
    screen: ScreenRate = ScreenRate()
    screen_latency_ms: float = -1.0  # from exposure to the screen; -1: not measured
    drop_reason: str = ""
    messages: tuple[Message, ...] = ()


def format_of(status: Any) -> FrameFormat:
    """Return the frame format that a status names."""
    return FrameFormat(status.height_px, status.width_px, status.dtype)
