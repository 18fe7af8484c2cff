"""Values that travel between the parts: frames, ROIs, beads, modes, tasks, track rows.

Axes are always ``(t, y, x)``; pixel centres are at integers; units are in the names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np

#: Radial bins a track row can carry: enough for a 256 px ROI at one bin per pixel.
MAX_RADIAL_BINS = 128

#: Largest bead ID: rows carry it in 32 bits.
MAX_BEAD = 2**31 - 1

#: Ways to turn an ROI into a position, the default first; backends have these two in common.
METHODS = ("precise", "magtrack-compatible")

#: One bead in one frame, as it travels through the track ring.
TRACK_ROW = np.dtype(
    [
        ("seq", "<i8"),  # ring sequence number of the frame
        ("frame", "<i8"),  # camera frame number
        ("time_ns", "<i8"),  # monotonic clock
        ("bead", "<i4"),
        ("reason", "<u4"),  # Reason, 0 is fine
        ("x_px", "<f8"),  # full-frame pixel coordinates
        ("y_px", "<f8"),
        ("z_nm", "<f8"),  # NaN without a Z-LUT
        ("quality", "<f4"),  # 0 to 1
        ("n_radial", "<u4"),  # how many of `profile` are valid
        ("profile", "<f4", (MAX_RADIAL_BINS,)),
    ]
)


class Reason(IntEnum):
    """Why a track row has no or a doubtful position; `OK` means it can be trusted."""

    OK = 0
    EMPTY = 1  # constant or nearly constant ROI
    SATURATED = 2
    CLIPPED = 3  # ROI cut by the frame edge
    NOT_FINITE = 4  # NaN or infinity in the input
    OUT_OF_RANGE = 5  # centre outside the capture range
    Z_OUT_OF_RANGE = 6  # best match in the outermost plane of the Z-LUT
    POOR_MATCH = 7  # profile is unlike the Z-LUT
    FAILED = 8  # the backend raised


class AcquisitionMode(str, Enum):
    """What a recording keeps."""

    TRACK = "track"
    TRACK_ROIS = "track+rois"
    TRACK_FULL = "track+full"
    ROIS = "rois"
    FULL = "full"

    @property
    def tracks(self) -> bool:
        """Whether track rows are saved."""
        return self.value.startswith("track")

    @property
    def rois(self) -> bool:
        """Whether one movie per bead is saved."""
        return self.value.endswith("rois")

    @property
    def video(self) -> bool:
        """Whether full frames are saved."""
        return self.value.endswith("full")


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Size and type of a camera's frames."""

    height_px: int
    width_px: int
    dtype: str  # 'uint8' or 'uint16'

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` in px."""
        return (self.height_px, self.width_px)

    @property
    def nbytes(self) -> int:
        """Bytes of one frame."""
        return self.height_px * self.width_px * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """Which frame it is and when it was exposed.

    ``frame`` counts what the camera exposed, so a jump means frames that never arrived.
    ``time_ns`` is on the monotonic clock.
    """

    frame: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Roi:
    """A square box in full-frame pixels, ``[y0, y0 + size)`` by ``[x0, x0 + size)``."""

    y0: int
    x0: int
    size: int

    @classmethod
    def around(cls, y_px: float, x_px: float, size: int) -> Roi:
        """Return the box of `size` px whose centre pixel is nearest to ``(y_px, x_px)``."""
        half = (size - 1) / 2
        return cls(round(y_px - half), round(x_px - half), size)

    @property
    def centre_px(self) -> tuple[float, float]:
        """``(y, x)`` of the centre, pixel centres at integers."""
        half = (self.size - 1) / 2
        return (self.y0 + half, self.x0 + half)

    def inside(self, shape: tuple[int, int]) -> bool:
        """Return whether the box lies wholly inside a frame of `shape` ``(y, x)``."""
        return (
            self.y0 >= 0
            and self.x0 >= 0
            and self.y0 + self.size <= shape[0]
            and self.x0 + self.size <= shape[1]
        )

    def crop(self, frame: np.ndarray) -> np.ndarray:
        """Return the view of `frame` ``(..., y, x)`` inside the box."""
        return frame[..., self.y0 : self.y0 + self.size, self.x0 : self.x0 + self.size]


@dataclass(frozen=True, slots=True)
class Bead:
    """A bead's ID, which lives as long as its ROI, and that ROI."""

    bead: int
    roi: Roi


@dataclass(frozen=True, slots=True)
class MotorInfo:
    """A motor or sensor by its name, what kind it is, and where it can go.

    ``motor`` is its kind's ID; ``low`` and ``high`` are the ends of its range in ``unit``, which
    is '' until the motor has been ready once.
    ``claimed`` says what has it for itself, such as 'a Z-LUT sweep', or what brings it back;
    ``row`` is where it is in the tables of positions.
    """

    name: str
    motor: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    claimed: str = ""
    row: int = field(default=0, compare=False)

    @property
    def moves(self) -> bool:
        """Whether it is a motor; a sensor is read and has no range."""
        return not self.unit or self.low < self.high


@dataclass(frozen=True, slots=True)
class Calibration:
    """How pixels become nanometres.

    ``zlut`` is the path of a Z-LUT file in MagTrack's layout, or '' for none.
    """

    nm_per_px: float = 100.0
    zlut: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person says about a bead; a reference bead is stuck, and shows the drift.

    ``good`` is None as long as nobody has judged the bead.
    """

    label: str = ""
    good: bool | None = None
    note: str = ""
    reference: bool = False


@dataclass(frozen=True, slots=True)
class TrackerTask:
    """A frozen snapshot of what to track and record; nothing in it changes while it runs.

    ``folder`` is '' and ``mode`` None while only tracking live.
    """

    beads: tuple[Bead, ...] = ()
    calibration: Calibration = Calibration()
    backend: str = "auto"
    method: str = METHODS[0]
    mode: AcquisitionMode | None = None
    folder: str = ""
    profiles: bool = True
