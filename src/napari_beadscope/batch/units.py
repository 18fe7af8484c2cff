"""The units of work that a batch consists of, and the key that says what each result is.

Owns how positions and steps become units, what each needs, and when a result may be kept: its
key is a digest of everything that it depends on. Must not know journals, workers or files'
formats.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_beadscope.batch.compute import checksum
from napari_beadscope.batch.planning import PlannedPosition, PlannedStep
from napari_beadscope.batch.service import PlanChannels, Service
from napari_beadscope.batch.services import code_identity
from napari_beadscope.batch.source import PositionInfo
from napari_beadscope.core.errors import InputError

UnitId = tuple[str, str, int, int]
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work with one output.

    Attributes
    ----------
    position : int
        Index of its position in the batch.
    step : int
        Index of its step.
    id : tuple
        Position's name, step's name, first frame, frame after the last.
    key : str
        Digest of everything that its result depends on.
    inputs : dict of str to tuple of UnitId
        Units whose outputs it reads, by step, in the order of frames.
    channels : tuple of int
        Channels whose frames are to be in memory before it starts.
    plan_channels : dict
        Channels by role, of those that its service asks for.
    output : str
        Name of its output in the batch's folder.
    """

    position: int
    step: int
    id: UnitId
    key: str
    category: str
    inputs: Mapping[str, tuple[UnitId, ...]]
    channels: tuple[int, ...]
    plan_channels: PlanChannels
    output: str

    @property
    def needs(self) -> tuple[UnitId, ...]:
        """Every unit that must be done before."""
        return tuple(unit for units in self.inputs.values() for unit in units)


def check_steps(steps: Sequence[PlannedStep]) -> None:
    """Refuse steps that cannot be told apart, or that come before what they need.

    Raises
    ------
    InputError
        Names the first such step.
    """
    names = [step.name for step in steps]
    for at, step in enumerate(steps):
        if not _SAFE.fullmatch(step.name):
            raise InputError(
                f"the service {step.given!r} calls itself {step.name!r}",
                "its name may have letters, digits, '_', '-' and '.'",
            )
        if step.name in names[:at]:
            raise InputError(f"the step {step.name!r} is there twice", "take one of them out")
        late = [need for need in step.service.needs if need in names[at + 1 :]]
        if late:
            raise InputError(
                f"the step {step.name!r} comes before {late[0]!r}, which it needs",
                f"put {late[0]!r} first",
            )


def make_units(
    positions: Sequence[PlannedPosition],
    steps: Sequence[PlannedStep],
    fingerprints: Mapping[Path, str],
) -> tuple[Unit, ...]:
    """Return the units of a batch: position by position, chunk by chunk, step by step.

    Parameters
    ----------
    positions, steps
        What the plan comes to.
    fingerprints : mapping of Path to str
        Of each source that positions are in.

    Raises
    ------
    InputError
        The steps do not fit together, or a file that they name is missing.
    """
    check_steps(steps)
    files = [_files(step) for step in steps]
    return tuple(
        unit
        for index, position in enumerate(positions)
        for unit in _PositionUnits(
            index, position, fingerprints[position.info.path], steps, files
        ).units()
    )


def seen_by(service: Service, position: PositionInfo) -> PositionInfo:
    """Return the position as a service sees it: without times and scale unless it reads them."""
    return replace(
        position,
        times_s=position.times_s if service.uses_times else None,
        nm_per_px=position.nm_per_px if service.uses_scale else None,
    )


class _PositionUnits:
    """Makes the units of one position."""

    def __init__(
        self,
        index: int,
        planned: PlannedPosition,
        fingerprint: str,
        steps: Sequence[PlannedStep],
        files: Sequence[str],
    ) -> None:
        self._index, self._planned, self._fingerprint = index, planned, fingerprint
        self._steps, self._files = steps, files
        self._made: dict[str, list[Unit]] = {}
        self._times = digest(planned.info.times_s)

    def units(self) -> list[Unit]:
        """Return its units, chunk by chunk; those of whole positions after what they need."""
        for number in range(len(self._steps)):
            self._add_step(number)
        every = [unit for units in self._made.values() for unit in units]
        return sorted(every, key=lambda unit: (unit.id[3], unit.step))

    def _add_step(self, number: int) -> None:
        step = self._steps[number]
        name, service = step.name, step.service
        whole = (self._planned.first, self._planned.last)
        self._made[name] = []
        for at, (first, last) in enumerate((whole,) if service.whole else self._planned.chunks):
            inputs = {
                need: self._inputs(need, service.whole, at)
                for need in service.needs
                if need in self._made and need != name
            }
            if service.ordered and not service.whole:
                inputs[name] = tuple(self._made[name][-1:])
            self._made[name].append(self._unit(number, first, last, inputs))

    def _inputs(self, need: str, whole: bool, at: int) -> tuple[Unit, ...]:
        """Return the needed step's units: for a chunk the one chunk's, else all."""
        found = self._made[need]
        step = next(step for step in self._steps if step.name == need)
        return tuple(found) if whole or step.service.whole else (found[at],)

    def _unit(
        self, number: int, first: int, last: int, inputs: Mapping[str, tuple[Unit, ...]]
    ) -> Unit:
        step = self._steps[number]
        service, position = step.service, self._planned.info
        channels = tuple(service.channels(self._planned.channels, step.settings))
        _check_channels(channels, position, step.name)
        roles = _roles(self._planned.channels, channels)
        seen = seen_by(service, position)
        dependencies = {
            "step": step.name,
            "code": code_identity(service),
            "settings": step.settings.model_dump(mode="json"),
            "files": self._files[number],
            "files_of": _files_of(step, seen),
            "inputs": {need: [unit.key for unit in units] for need, units in inputs.items()},
            "source": self._fingerprint,
            "position": [seen.name, seen.index, seen.frames, seen.shape, seen.dtype],
            "times": self._times if service.uses_times else "",
            "nm_per_px": seen.nm_per_px,
            "frames": [first, last],
            "channels": [channels, roles],
        }
        chunked = not service.whole
        folder = f"positions/{position.name}"
        file = f"{step.name}/{first:06d}-{last - 1:06d}" if chunked else step.name
        return Unit(
            position=self._index,
            step=number,
            id=(position.name, step.name, first, last),
            key=digest(dependencies),
            category=service.category,
            inputs={need: tuple(unit.id for unit in units) for need, units in inputs.items()},
            channels=channels if chunked and service.prefetch else (),
            plan_channels=roles,
            output=f"{folder}/{file}{service.suffix}",
        )


def digest(value: Any) -> str:
    """Return the SHA-256 of a value as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _files(step: PlannedStep) -> str:
    digests = []
    for path in step.service.files(step.settings):
        if not path.is_file():
            raise InputError(f"no file at {path}, which the step {step.name} needs", "check it")
        digests.append(checksum(path))
    return digest(digests)


def _files_of(step: PlannedStep, position: PositionInfo) -> list[str]:
    files = step.service.files_of(position, step.settings)
    return [checksum(path) if path.is_file() else "" for path in files]


def _roles(plan_channels: PlanChannels, channels: Sequence[int]) -> dict[str, tuple[int, ...]]:
    kept = {
        role: tuple(index for index in indices if index in channels)
        for role, indices in plan_channels.items()
    }
    return {role: indices for role, indices in kept.items() if indices}


def _check_channels(channels: Sequence[int], position: PositionInfo, step: str) -> None:
    missing = [index for index in channels if not 0 <= index < len(position.channels)]
    if missing:
        raise InputError(
            f"the step {step!r} wants channel {missing[0]} of position {position.name}, "
            f"which has {len(position.channels)} (0 to {len(position.channels) - 1})",
            "correct `channels` in the plan",
        )
