"""A plan held against what there is: its files, their positions and channels, its services.

Owns which positions and steps a plan comes to, and every reason why it cannot be run. Must not
know runs: nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_beadscope.batch.naming import is_text
from napari_beadscope.batch.plan import InputItem, Plan, Step, chunk_frames
from napari_beadscope.batch.plan_channels import resolve_channels, unlikely_roles
from napari_beadscope.batch.plan_file import (
    Place,
    PlanError,
    Where,
    lines_of,
    load_plan,
    mistake,
    plan_error,
    plan_mistakes,
    shown_place,
)
from napari_beadscope.batch.plan_inputs import Found, find_inputs
from napari_beadscope.batch.selection import parse_selection, write_selection
from napari_beadscope.batch.service import Service
from napari_beadscope.batch.services import open_service
from napari_beadscope.batch.source import PositionInfo
from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.settings_fields import expanded


@dataclass(frozen=True, slots=True)
class PlannedPosition:
    """A position of a batch.

    Attributes
    ----------
    number : int
        In the batch, from 0; what ``samples`` select by.
    info : PositionInfo
        With its name in the batch, and the times and size of a pixel that hold.
    channels : mapping of str to tuple of int
        Channels of the position by role.
    first, last : int
        Frames ``[first, last)`` are taken.
    chunk_frames : int
        Frames that are worked on at a time.
    sample : str or None
        What it belongs to.
    """

    number: int
    info: PositionInfo
    channels: Mapping[str, tuple[int, ...]]
    first: int
    last: int
    chunk_frames: int
    sample: str | None = None

    @property
    def name(self) -> str:
        """The position's name in the batch."""
        return self.info.name

    @property
    def chunks(self) -> tuple[tuple[int, int], ...]:
        """Ranges ``[first, last)`` of frames that are worked on at a time."""
        step = self.chunk_frames
        starts = range(self.first, self.last, step)
        return tuple((start, min(start + step, self.last)) for start in starts)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a batch: its service and the settings it has.

    ``given`` is how the plan names it, with a path of one's own file made absolute.
    """

    name: str
    service: Service
    settings: BaseModel
    given: str


@dataclass(frozen=True, slots=True)
class Batch:
    """All that a plan comes to. Use `resolve_plan` or `open_plan`.

    Attributes
    ----------
    plan : Plan
        As resolved: every file by itself with its absolute path, every setting of every step.
    output : Path
        Absolute folder of the results.
    positions : tuple of PlannedPosition
    steps : tuple of PlannedStep
    """

    plan: Plan
    output: Path
    positions: tuple[PlannedPosition, ...]
    steps: tuple[PlannedStep, ...]


def open_plan(path: str | Path, *, output: str | Path | None = None) -> Batch:
    """Read a plan and hold it against what there is.

    Parameters
    ----------
    path : str or Path
        The plan. Relative paths in it are relative to the folder it is in.
    output : str or Path, optional
        Folder of the results instead of the plan's, relative to the current one.

    Raises
    ------
    PlanError
        Names every mistake, with its line and place.
    """
    plan, file = load_plan(path)
    if output is not None:
        plan = plan.model_copy(update={"output": str(expanded(output).absolute())})
    folder = file.path.expanduser().absolute().parent
    return resolve_plan(plan, folder, about=str(path), where=lines_of(file))


def resolve_plan(
    plan: Plan, folder: Path | None = None, *, about: str = "the plan", where: Where | None = None
) -> Batch:
    """Hold a plan against what there is.

    Parameters
    ----------
    plan : Plan
        What is wanted.
    folder : Path, optional
        What relative paths are relative to; default the current folder.
    about : str
        What the plan is called when it has mistakes.
    where : callable, optional
        Tells the line of a place in it.

    Raises
    ------
    PlanError
        Names every mistake: files that are missing, damaged or read by nothing, positions,
        frames and channels that they lack, steps and settings that there are none of, and times
        that a step needs and nobody has told.
    """
    return _Resolving(plan, folder or Path.cwd(), where).resolve(about)


class _Resolving:
    """Collects what a plan comes to, and what is wrong with it."""

    def __init__(self, plan: Plan, folder: Path, where: Where | None) -> None:
        self._plan, self._folder, self._where = plan, folder, where
        self._mistakes: list[PlanError] = []
        self._lacking: dict[tuple[str, str], list[tuple[PositionInfo, str, str]]] = {}

    def resolve(self, about: str) -> Batch:
        steps = self._steps()
        for place, what, remedy in unlikely_roles(self._plan.channels):
            self._wrong(place, what, remedy)
        found = find_inputs(self._plan.inputs, self._folder, self._wrong)
        positions = self._positions(found)
        self._check_channels(steps, positions)
        self._check_times(steps, positions)
        positions = self._with_samples(positions)
        output = self._output(found)
        if not found and not self._mistakes:
            self._wrong(("inputs",), "the plan has no positions", "select some")
        if self._mistakes:
            raise plan_error(about, self._mistakes)
        return Batch(self._as_resolved(found, steps, output), output, positions, steps)

    def _wrong(self, place: Place, what: str, remedy: str = "") -> None:
        self._mistakes.append(mistake(place, what, remedy, self._where))

    def _steps(self) -> tuple[PlannedStep, ...]:
        steps: list[PlannedStep] = []
        for at, step in enumerate(self._plan.steps):
            try:
                service = open_service(step.name, self._folder)
            except InputError as error:
                self._wrong(("steps", at), f"'steps[{at}]': {error.what}", error.remedy)
                continue
            planned = self._step(at, step, service)
            if service.name in [one.name for one in steps]:
                self._wrong(
                    ("steps", at), f"'steps[{at}]': {service.name!r} is there twice", "keep one"
                )
            elif planned is not None:
                steps.append(planned)
        order = [step.name for step in steps]
        for at, made in enumerate(steps):
            late = [name for name in made.service.needs if name in order[at + 1 :]]
            if late:
                self._wrong(
                    ("steps",),
                    f"step {made.name!r} comes before {' and '.join(map(repr, late))}, which it"
                    " reads from",
                    "put it after",
                )
            for some in made.service.requires:
                if len(steps) == len(self._plan.steps) and not set(some) & set(order):
                    self._wrong(
                        ("steps",),
                        f"step {made.name!r} works on what {' or '.join(map(repr, some))} has made,"
                        " which is not in the plan",
                        "put it before",
                    )
        return tuple(steps)

    def _step(self, at: int, step: Step, service: Service) -> PlannedStep | None:
        try:
            settings = service.Settings.model_validate(
                step.settings, context={"folder": self._folder}
            )
        except ValidationError as error:
            own = self._where

            def where(place: Place) -> str:  # in the file the step's name is a key, too
                return own((*place[:2], step.name, *place[2:])) if own else ""

            self._mistakes += plan_mistakes(error, where, ("steps", at), service.Settings)
            return None
        given = step.name
        file, _, name = given.rpartition(":")
        if file.endswith(".py"):
            given = f"{(self._folder / Path(file).expanduser()).resolve()}:{name}"
        return PlannedStep(service.name, service, settings, given)

    def _positions(self, found: list[Found]) -> tuple[PlannedPosition, ...]:
        positions: list[PlannedPosition] = []
        for one in found:
            for info in one.positions:
                number = len(positions)
                positions.append(self._position(one, info, number))
        return tuple(positions)

    def _position(self, found: Found, info: PositionInfo, number: int) -> PlannedPosition:
        plan, item, place = self._plan, found.item, ("inputs", found.at)
        interval = item.frame_interval_s or plan.frame_interval_s
        if interval is not None:
            info = replace(info, times_s=tuple(k * interval for k in range(info.frames)))
        nm_per_px = item.nm_per_px or plan.nm_per_px
        if nm_per_px is not None:
            info = replace(info, nm_per_px=nm_per_px)
        first, last = 0, info.frames
        if item.frames is not None:
            selected = parse_selection(item.frames)
            first, last = selected[0], selected[-1] + 1
            if last > info.frames:
                self._wrong(
                    place,
                    f"'{shown_place(place)}.frames' are {item.frames}, but position {info.name} of"
                    f" {info.path} has {info.frames} frames",
                    f"the last one is {info.frames - 1}",
                )
                first, last = 0, info.frames
        channels, wrong = resolve_channels(plan.channels, info)
        for role, what, remedy in wrong:
            same = self._lacking.setdefault((role, what.replace(str(info.path), "")), [])
            same.append((info, what, remedy))
        frames = chunk_frames(plan, info.frame_bytes)
        return PlannedPosition(number, info, channels, first, last, frames, item.sample)

    def _check_channels(
        self, steps: tuple[PlannedStep, ...], positions: tuple[PlannedPosition, ...]
    ) -> None:
        """Tell channels that there are not, then ask every step which it wants; each once."""
        for (role, _), same in self._lacking.items():
            info, what, remedy = same[0]
            if len(same) > 1 and str(info.path) in what:
                do = "does" if len(same) == 2 else "do"
                what += f", nor {do} {_more(len(same) - 1)}"
            self._wrong(("channels", role), what, remedy)
        roles = {role for one in positions for role in one.channels}
        if self._lacking or set(self._plan.channels) != roles:
            return  # those are mistakes already
        for step in steps:
            for position in positions:
                try:
                    step.service.channels(position.channels, step.settings)
                except BeadscopeError as error:
                    self._wrong(("channels",), f"step {step.name!r}: {error.what}", error.remedy)
                    break

    def _check_times(
        self, steps: tuple[PlannedStep, ...], positions: tuple[PlannedPosition, ...]
    ) -> None:
        wanting = [
            step.name for step in steps if step.service.uses_times and step.service.needs_times
        ]
        silent = [one for one in positions if one.info.times_s is None]
        if wanting and silent:
            more = f", and of {_more(len(silent) - 1)}," if len(silent) > 1 else ""
            remedy = "give 'frame_interval_s', the seconds between two frames"
            if len(silent) < len(positions):  # given for all, it would replace true times
                remedy += ", for that input: {path: FILE, frame_interval_s: SECONDS}"
            self._wrong(
                ("inputs",),
                f"nothing says when the frames of {silent[0].info.path}{more} were taken, which"
                f" step {wanting[0]!r} needs",
                remedy,
            )

    def _with_samples(self, positions: tuple[PlannedPosition, ...]) -> tuple[PlannedPosition, ...]:
        samples = {one.number: one.sample for one in positions if one.sample is not None}
        for at, sample in enumerate(self._plan.samples):
            place = ("samples", at)
            for number in parse_selection(sample.fovs):
                if number >= len(positions):
                    self._wrong(
                        place,
                        f"sample {sample.name!r} has position {number}, but there are"
                        f" {len(positions)}",
                        "positions count from 0",
                    )
                    break
                other = samples.setdefault(number, sample.name)
                if other != sample.name:
                    self._wrong(
                        place,
                        f"position {number} is in the samples {other!r} and {sample.name!r}",
                        "a position belongs to one sample",
                    )
        return tuple(replace(one, sample=samples.get(one.number)) for one in positions)

    def _output(self, found: list[Found]) -> Path:
        try:
            output = self._folder / expanded(self._plan.output)
        except InputError as error:
            self._wrong(("output",), f"'output': {error.what}", error.remedy)
            return self._folder
        output = output.absolute()
        if not is_text(str(output)):
            self._wrong(("output",), f"'output' cannot be {str(output)!r}", "use plain text")
            return self._folder
        if output.exists() and not output.is_dir():
            self._wrong(("output",), f"'output' {output} is a file", "name a folder")
        for one in found:
            if output == one.path or one.path in output.parents:
                self._wrong(
                    ("output",),
                    f"'output' {output} is inside the input {one.path}",
                    "name a folder beside it",
                )
                break
        return output

    def _as_resolved(
        self, found: list[Found], steps: tuple[PlannedStep, ...], output: Path
    ) -> Plan:
        inputs = []
        for one in found:
            whole = len(one.positions) == one.of
            taken = write_selection(tuple(info.index for info in one.positions))
            now = {"path": str(one.path), "positions": None if whole else taken}
            inputs.append(InputItem(**{**one.item.model_dump(), **now}))
        with_settings = tuple(
            Step(name=step.given, settings=_plain(step.settings)) for step in steps
        )
        update: dict[str, Any] = {
            "inputs": tuple(inputs),
            "steps": with_settings,
            "output": str(output),
        }
        return self._plan.model_copy(update=update)


def _more(count: int) -> str:
    return "1 more position" if count == 1 else f"{count} more positions"


def _plain(settings: BaseModel) -> dict[str, Any]:
    return settings.model_dump(mode="json")
