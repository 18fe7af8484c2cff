"""What a service is: one step of a batch, computed for one position or one chunk of its frames.

Owns what services and whatever runs them have in common. Must not know journals, workers or
plans; whoever runs a service gives it everything in a `Work`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from napari_beadscope.core.errors import BeadscopeError

if TYPE_CHECKING:
    import numpy as np

    from napari_beadscope.batch.source import PositionInfo, Source

#: Categories whose units go to the workers for the GPU, where there are such workers.
GPU_CATEGORIES = frozenset({"BEAD_FIND", "ROI_CENTRE", "Z_LOOKUP"})

Facts = dict[str, float | int | str]
PlanChannels = Mapping[str, tuple[int, ...]]


class BatchError(BeadscopeError):
    """A batch, or a part of it, cannot be processed."""


class Cancelled(BaseException):
    """Raised by `Work.checkpoint` when the run is cancelled. Services let it pass."""


class ServiceSettings(BaseModel):
    """Base of a service's settings: unknown names are refused; none by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Frames(Protocol):
    """Gives pixels of the position at hand."""

    def __call__(
        self, channel: int, first: int | None = None, last: int | None = None
    ) -> np.ndarray:
        """Return frames ``[first, last)`` of a channel.

        Parameters
        ----------
        channel : int
            Index in the position's channels.
        first, last : int, optional
            Frames of the position; default: those of the unit of work. Any range of the
            position may be asked for.

        Returns
        -------
        np.ndarray
            Shape (n, y, x), the file's dtype, not writable; valid until the work ends.

        Raises
        ------
        SourceError
            The file cannot give these frames.
        """


@dataclass(frozen=True)
class Work:
    """One unit of work, with all that a service may use.

    Attributes
    ----------
    position : PositionInfo
        What is processed. Its ``times_s`` is None unless the service sets ``uses_times``, its
        ``nm_per_px`` is None unless it sets ``uses_scale``.
    plan_channels : mapping of str to tuple of int
        Channels by what they show, such as ``{"phase": (0,), "fluorescence": (1,)}``: of those
        that the service's `Service.channels` asks for.
    first, last : int
        Frames ``[first, last)``; all frames of the position for a service of whole positions.
    output : Path
        The file to write. It takes its final name when the service has returned.
    inputs : mapping of str to tuple of Path
        Outputs of the steps it needs, as far as the plan has them, in the order of frames: for a
        chunk that chunk's output, for a whole position those of all chunks. For an ordered
        service also its own output of the chunk before, under its own name.
    frames : callable
        Gives pixels, see `Frames`.
    cache : dict
        Kept by the worker between units: compiled trackers, look-up tables. Nothing that changes
        a result.
    checkpoint : callable
        To call now and then: raises `Cancelled` when the run is over.
    """

    position: PositionInfo
    plan_channels: PlanChannels
    first: int
    last: int
    output: Path
    inputs: Mapping[str, tuple[Path, ...]]
    frames: Frames
    cache: dict[Any, Any] = field(default_factory=dict)
    checkpoint: Callable[[], None] = lambda: None


class Service(ABC):
    """One step of a batch: stateless, and the same result whenever and wherever it runs.

    A subclass sets the class variables that differ, and `process`. What it writes is a function
    of the work and the settings alone, byte for byte: no times, no names of machines.

    Attributes
    ----------
    name : str
        The step's name in plans and in the output folder.
    version : int
        To be raised with every change of what comes out.
    category : str
        What kind of work it is; workers stay with a category while there is work in it.
    needs : tuple of str
        Steps whose outputs it reads, as far as they are in the plan.
    requires : tuple of tuple of str
        Of each of these groups of steps, the plan must have at least one.
    whole : bool
        One unit for a position instead of one for each chunk.
    ordered : bool
        A chunk also reads its own output of the chunk before.
    suffix : str
        Ending of the output's name.
    uses_times : bool
        It reads ``position.times_s``.
    needs_times : bool
        With ``uses_times``: the plan is refused while the times are not known.
    uses_scale : bool
        It reads ``position.nm_per_px``.
    prefetch : bool
        The channels' frames are read ahead. Without, they are read when asked for.
    Settings : type
        A pydantic model with ``extra="forbid"``; every field described, with its unit. It is
        validated with the context ``{"folder": …}``, which relative paths are relative to.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    category: ClassVar[str] = "SUMMARY"
    needs: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[tuple[str, ...], ...]] = ()
    whole: ClassVar[bool] = False
    ordered: ClassVar[bool] = False
    suffix: ClassVar[str] = ".npy"
    uses_times: ClassVar[bool] = False
    needs_times: ClassVar[bool] = True
    uses_scale: ClassVar[bool] = False
    prefetch: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = ServiceSettings

    def channels(self, plan_channels: PlanChannels, settings: Any) -> tuple[int, ...]:
        """Return the channels whose frames, or whose role in the plan, it wants to know."""
        return ()

    def files(self, settings: Any) -> tuple[Path, ...]:
        """Return files besides the source that results depend on, such as a Z-LUT."""
        return ()

    def files_of(self, position: PositionInfo, settings: Any) -> tuple[Path, ...]:
        """Return files of a position that are not its frames, such as annotations.

        They may be missing; results are computed again when they come, change or go.
        """
        return ()

    @abstractmethod
    def process(self, work: Work, settings: Any) -> Facts:
        """Compute a unit and write its output.

        Parameters
        ----------
        work : Work
            What to process and where to write.
        settings : Settings
            This step's settings.

        Returns
        -------
        dict
            Facts worth knowing, such as ``{"cells": 41}``, for the journal and the report.
        """

    def process_position(
        self,
        source: Source,
        index: int,
        folder: Path,
        settings: Any = None,
        *,
        plan_channels: PlanChannels | None = None,
        chunk_frames: int | None = None,
        inputs: Mapping[str, Sequence[Path]] | None = None,
    ) -> tuple[Path, ...]:
        """Process one position in this process, without a journal.

        Parameters
        ----------
        source : Source
            An open source.
        index : int
            Which of its positions.
        folder : Path
            Where the outputs go: ``FOLDER/POSITION/STEP/…``.
        settings : Settings, optional
            Default: the service's defaults.
        plan_channels : mapping, optional
            Channels by role; default none.
        chunk_frames : int, optional
            Frames per chunk; default all in one.
        inputs : mapping of str to sequence of Path, optional
            Outputs of the steps it needs, in the order of frames.

        Returns
        -------
        tuple of Path
            The outputs, in the order of frames.
        """
        from napari_beadscope.batch.here import process_here

        return process_here(
            self, source, index, folder, settings, plan_channels or {}, chunk_frames, inputs or {}
        )

    def process_positions(
        self,
        source: Source,
        indices: Sequence[int] | None,
        folder: Path,
        settings: Any = None,
        **options: Any,
    ) -> dict[str, tuple[Path, ...]]:
        """Process several positions; one that fails does not keep the others from being done.

        Parameters
        ----------
        source, folder, settings, options
            As for `process_position`.
        indices : sequence of int or None
            Which positions; None for all.

        Returns
        -------
        dict of str to tuple of Path
            Outputs by position.

        Raises
        ------
        BatchError
            At the end, naming every position that failed and why.
        """
        from napari_beadscope.batch.here import process_all_here

        return process_all_here(self, source, indices, folder, settings, options)
