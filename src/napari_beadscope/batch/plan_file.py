"""Plans from files, environment and command line, and a sentence for every mistake in them.

Owns the order: a plan's value gives way to the environment's, and that to the command line's.
Must not know services or recordings.
"""

from __future__ import annotations

import difflib
import os
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_beadscope.batch.plan import InputItem, Plan, Sample, Step, Workers
from napari_beadscope.core.errors import SettingsError
from napari_beadscope.core.settings import all_mistakes, describe
from napari_beadscope.storage.yaml_file import YamlFile, read_yaml

#: Variables of the environment and the worker's field that each sets.
VARIABLES = {
    "BEADSCOPE_NUM_CPU_WORKERS": "cpu",
    "BEADSCOPE_NUM_GPU_WORKERS": "gpu",
    "BEADSCOPE_NUM_VIDEO_READERS": "readers",
    "BEADSCOPE_MAX_CPU_BACKLOG": "max_cpu_backlog",
    "BEADSCOPE_MAX_GPU_BACKLOG": "max_gpu_backlog",
    "BEADSCOPE_QUEUE_SOFT_LIMIT": "queue_soft_limit",
    "BEADSCOPE_QUEUE_HARD_LIMIT": "queue_hard_limit",
}
_MODELS: dict[str, type[BaseModel]] = {"inputs": InputItem, "samples": Sample, "steps": Step}
_BRANCHES = frozenset({"int", "str", "float", "list[int]"})

Place = tuple[int | str, ...]
Where = Callable[[Place], str]


class PlanError(SettingsError):
    """A plan cannot be run as it is; ``mistakes`` are all that were found, one sentence each."""


def load_plan(path: str | Path) -> tuple[Plan, YamlFile]:
    """Read a plan; return it with its text, which knows the lines.

    Raises
    ------
    PlanError
        Names every mistake in the fields, with line and place such as ``steps[2]``.
    """
    place = Path(path).expanduser()
    try:
        file = read_yaml(place, "a plan", begin="inputs:")
    except SettingsError as error:
        remedy = error.remedy
        if "is not valid YAML" in error.what:
            remedy = 'correct it; patterns need quotes, such as "*.tif"'
        raise PlanError(error.what, remedy) from error
    mistakes = [PlanError(error.what, error.remedy) for error in file.twice]
    try:
        plan = Plan.model_validate(file.data)
    except ValidationError as error:
        raise plan_error(str(place), [*mistakes, *plan_mistakes(error, lines_of(file))]) from None
    if mistakes:
        raise plan_error(str(place), mistakes)
    return plan, file


def make_plan(data: Mapping[str, Any]) -> Plan:
    """Return a plan of plain values, such as a script has.

    Raises
    ------
    PlanError
        Names every mistake in the fields.

    Examples
    --------
    >>> make_plan({"inputs": "a.tif", "output": "out", "steps": ["segment"], "chunk_frames": 0})
    Traceback (most recent call last):
    ...
    napari_beadscope.batch.plan_file.PlanError: the plan: 'chunk_frames' cannot be 0: allowed is
    1 to 1000000 frames, or none
    """
    try:
        return Plan.model_validate(dict(data))
    except ValidationError as error:
        raise plan_error("the plan", plan_mistakes(error)) from None


def with_workers(plan: Plan, environment: Mapping[str, str] | None = None, **given: Any) -> Plan:
    """Return the plan with workers as environment and command line have them.

    Parameters
    ----------
    plan : Plan
        Its values give way to those of the environment.
    environment : mapping, optional
        Default: the environment of this process. See `VARIABLES`.
    given
        Fields of `Workers` from the command line, which have the last word; None is not given.

    Raises
    ------
    PlanError
        A value is not allowed; the sentence says where it is from.

    Examples
    --------
    >>> plan = make_plan({"inputs": "a.tif", "output": "out", "steps": ["segment"]})
    >>> with_workers(plan, {"BEADSCOPE_NUM_CPU_WORKERS": "3"}).workers.cpu
    3
    """
    environment = os.environ if environment is None else environment
    said = {f: environment[v] for v, f in VARIABLES.items() if environment.get(v, "").strip()}
    sources = {field: name for name, field in VARIABLES.items() if field in said}
    for field, value in given.items():
        if value is not None:
            said[field] = value
            sources[field] = "--workers" if field == "cpu" else f"--{field.replace('_', '-')}"
    try:
        workers = Workers.model_validate({**plan.workers.model_dump(), **said})
    except ValidationError as error:
        mistakes = plan_mistakes(error, lambda place: sources.get(str(place[-1]), ""), ("workers",))
        raise plan_error("the workers", mistakes) from None
    return plan.model_copy(update={"workers": workers})


def lines_of(file: YamlFile) -> Where:
    """Return what tells the line of a place in a plan."""

    def where(place: Place) -> str:
        return f"line {file.line_of(place)}" if place else ""

    return where


def plan_error(about: str, mistakes: list[PlanError]) -> PlanError:
    """Return one error that tells all mistakes in the plan called `about`."""
    if len(mistakes) == 1:
        (one,) = mistakes
        return PlanError(f"{about}: {one.what}", one.remedy, one.mistakes)
    told = all_mistakes(about, mistakes)
    return PlanError(told.what, told.remedy, told.mistakes)


def shown_place(place: Place) -> str:
    """Return a place as people read it.

    Examples
    --------
    >>> shown_place(("steps", 2, "radius"))
    'steps[2].radius'
    """
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def mistake(place: Place, what: str, remedy: str = "", where: Where | None = None) -> PlanError:
    """Return what is wrong at a place, with its line where that is known."""
    line = where(place) if where is not None else ""
    return PlanError(f"{line}: {what}" if line else what, remedy)


def plan_mistakes(
    error: ValidationError,
    where: Where | None = None,
    above: Place = (),
    model: type[BaseModel] | None = None,
) -> list[PlanError]:
    """Return each problem that pydantic found as a sentence with place, value and what is allowed.

    Parameters
    ----------
    error : pydantic.ValidationError
        From a `Plan`, or from a part of one.
    where : callable, optional
        Tells the line of a place; '' for nothing.
    above : tuple
        Place of the part that was validated.
    model : type, optional
        What was validated, if it is no part of a `Plan`: a step's settings.
    """
    found: dict[Place, PlanError] = {}
    for one in error.errors():
        own = tuple(part for part in one["loc"] if part not in _BRANCHES)
        place = (*above, *own)
        fields = _fields(own if model is not None else place, model or Plan)
        what, remedy = _sentence(one, place, own, fields)
        found.setdefault(place[:4], mistake(place, what, remedy, where))
    return list(found.values())


def _fields(place: Place, model: type[BaseModel]) -> type[BaseModel]:
    """Return the model whose field the last part of a place is."""
    names = [part for part in place if isinstance(part, str)]
    if model is Plan and len(names) > 1:
        return Workers if names[0] == "workers" else _MODELS.get(names[0], Plan)
    return model


def _sentence(one: Any, place: Place, own: Place, model: type[BaseModel]) -> tuple[str, str]:
    name = shown_place(place) or "plan"
    last = str(next((part for part in reversed(own) if isinstance(part, str)), ""))
    if one["type"] == "extra_forbidden":
        return f"there is no '{name}'", _near(last, list(model.model_fields))
    row = next((row for row in describe(model) if row.name == last), None)
    if one["type"] == "missing":
        return f"'{name}' is missing", _meaning(row, "say it")
    if one["type"] == "value_error":
        what, _, remedy = str(one["ctx"]["error"]).partition(": ")
        return f"'{name}': {what}", remedy
    if one["type"] in ("too_short", "tuple_type"):
        return f"'{name}' has nothing in it that can be used", _meaning(row, "give a list")
    if row is None or isinstance(own[-1], int):
        return f"'{name}' cannot be {_shown(one['input'])}", str(one["msg"]).lower()
    unit = f" {row.unit}" if row.unit else ""
    allowed = row.range.replace(", or none", f"{unit}, or none") if unit else row.range
    if unit and ", or none" not in allowed:
        allowed += unit
    remedy = str(one["msg"]).lower() if row.range == "text" else f"allowed is {allowed}"
    return f"'{name}' cannot be {_shown(one['input'])}", remedy


def _meaning(row: Any, default: str) -> str:
    return f"{row.description[:1].lower()}{row.description[1:]}" if row else default


def _near(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known) or 'none'}"


def _shown(value: Any) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    short.maxlevel, short.maxlist, short.maxdict = 2, 3, 3
    return short.repr(value)
