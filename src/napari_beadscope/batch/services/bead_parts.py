"""What the services for beads have in common: their channel, Z-LUT, backend and inputs.

Owns the meaning of the settings that several of them have. Must not know what they compute.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from napari_beadscope.batch.service import BatchError, PlanChannels, Service, Work
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.settings_fields import expanded

if TYPE_CHECKING:
    from napari_beadscope.batch.beads.places import Placed
    from napari_beadscope.batch.source import PositionInfo
    from napari_beadscope.tracking import Backend, ZLut

AUTO, NONE = "auto", "none"
_WORDS = (AUTO, NONE, "find", "")
_ROLES = ("beads", "phase")


def _from_plan(name: str, info: ValidationInfo) -> str:
    """Make a path absolute: it is relative to the plan's folder."""
    if name in _WORDS:
        return name
    return str(Path((info.context or {}).get("folder", ""), expanded(name)))


#: A file that a setting names, or one of the words.
FileName = Annotated[str, AfterValidator(_from_plan)]
RoiSize = Annotated[
    int | None,
    Field(ge=16, le=256, description="Edge of the ROIs, px; none takes what suits the beads"),
]
ChannelNumber = Annotated[
    int | None,
    Field(ge=0, description="Channel with the beads, from 0; none takes the plan's, or the first"),
]
ZlutName = Annotated[
    FileName, Field(description="Z-LUT file; auto takes the recording's own, none gives no heights")
]
BackendName = Annotated[
    str, Field(description="Tracking backend: auto, cpu, gpu, magtrack; auto takes the fastest")
]
MethodName = Annotated[
    Literal["precise", "magtrack-compatible"],
    Field(description="Tracking method; magtrack-compatible gives the magtrack package's numbers"),
]


def bead_channel(plan_channels: PlanChannels, given: int | None) -> int:
    """Return the channel that shows the beads: the step's, the plan's, or the first.

    Examples
    --------
    >>> bead_channel({"beads": (2,), "phase": (0,)}, None), bead_channel({}, None)
    (2, 0)
    """
    if given is not None:
        return given
    return next((plan_channels[role][0] for role in _ROLES if plan_channels.get(role)), 0)


def checked_channel(work: Work, given: int | None) -> int:
    """Return the channel, or say that the position has no such one."""
    channel = bead_channel(work.plan_channels, given)
    if channel >= len(work.position.channels):
        raise BatchError(
            f"{work.position.path} has no channel {channel}",
            f"it has channels 0 to {len(work.position.channels) - 1}",
        )
    return channel


def given_file(name: str) -> tuple[Path, ...]:
    """Return the file that a setting names, if it is not one of the words."""
    return () if name in _WORDS else (expanded(name),)


def open_zlut(work: Work, name: str) -> ZLut | None:
    """Return the Z-LUT that a setting asks for, from the worker's cache if it is there.

    Raises
    ------
    InputError
        It cannot be read.
    """
    from napari_beadscope.tracking import ZLut

    path = next(iter(given_file(name)), None)
    if name == AUTO:
        path = recorded_zlut(work.position)
    if path is None:
        return None
    try:
        stat = path.stat()
    except OSError:
        raise InputError(f"the Z-LUT file {path} does not exist", "check the path") from None
    key = ("zlut", path, stat.st_mtime_ns, stat.st_size)
    if key not in work.cache:
        work.cache[key] = ZLut.load(path)
    lut: ZLut = work.cache[key]
    return lut


def recorded_zlut(position: PositionInfo) -> Path | None:
    """Return the Z-LUT inside the recording, if the position is one of ours and has one."""
    if position.kind != "recording":
        return None
    from napari_beadscope.storage import Manifest

    name = Manifest.load(position.path).calibration.zlut
    return position.path / name if name else None


def recorded_zluts(position: PositionInfo, name: str) -> tuple[Path, ...]:
    """Return the file that `open_zlut` takes from the recording itself, if it does."""
    path = recorded_zlut(position) if name == AUTO else None
    return () if path is None else (path,)


def open_tracker(work: Work, name: str, method: str, beads: int) -> Backend:
    """Return an open backend with one thread, from the worker's cache if it is there.

    Raises
    ------
    InputError
        There is no such backend, or it does not know the method.
    TrackingError
        It cannot run here.
    """
    from napari_beadscope.tracking import open_backend
    from napari_beadscope.tracking.choice import choose_backend

    key = ("backend", name, method, beads)
    if key not in work.cache:
        chosen = choose_backend(name, method=method, beads=beads).name
        opened = ("open backend", chosen, method)
        if opened not in work.cache:
            work.cache[opened] = open_backend(chosen, method=method)
        work.cache[key] = work.cache[opened]
    backend: Backend = work.cache[key]
    return backend


def required(work: Work, step: str, *others: str) -> tuple[Path, ...]:
    """Return the outputs of a step, or of the first of others that the plan has.

    Raises
    ------
    BatchError
        The plan has none of them.
    """
    for name in (step, *others):
        if work.inputs.get(name):
            return work.inputs[name]
    raise BatchError(
        f"there is no output of the step {' or '.join((step, *others))} to work on",
        "put that step into the plan, before this one",
    )


def load_rows(path: Path) -> np.ndarray:
    """Return rows of a chunk that a step has written."""
    rows: np.ndarray = np.load(path, allow_pickle=False)
    return rows


def save_rows(path: Path, rows: np.ndarray) -> None:
    """Write rows of a chunk under exactly that name."""
    with open(path, "wb") as file:
        np.save(file, rows, allow_pickle=False)


def bead_places(work: Work) -> tuple[Placed, ...]:
    """Return the bead table of the position."""
    from napari_beadscope.batch.beads.places import read_places

    return read_places(required(work, "find_beads")[0])


def times_of(work: Work) -> np.ndarray | None:
    """Return the times of all frames, or None if they are not known."""
    times: Any = work.position.times_s
    return None if times is None else np.asarray(times, np.float64)


class TrackingService(Service):
    """Base of steps that look at beads' pixels; their settings have ``channel`` and ``zlut``."""

    def channels(self, plan_channels: PlanChannels, settings: Any) -> tuple[int, ...]:
        return (bead_channel(plan_channels, settings.channel),)

    def files(self, settings: Any) -> tuple[Path, ...]:
        return given_file(settings.zlut)

    def files_of(self, position: PositionInfo, settings: Any) -> tuple[Path, ...]:
        return recorded_zluts(position, settings.zlut)
