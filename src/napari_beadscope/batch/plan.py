"""The plan of a batch, as people write it: which recordings, which steps, how many workers.

Owns the fields, their units and limits. Must not know services or file formats: `batch.planning`
holds a plan against what there is. Plans are read and explained by `batch.plan_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from napari_beadscope.batch.selection import parse_selection
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.settings_fields import Section, expanded

#: Memory that a chunk of frames takes unless the plan says how many frames it has.
CHUNK_BYTES = 32 * 1024 * 1024
_MAX_CHUNK_FRAMES = 256
#: Roles of channels that steps of this package know; services of one's own may know others.
ROLES = ("phase", "fluorescence", "beads")

Selection = str | int | list[int]
Channel = int | str


def _number(default: Any, unit: str, low: float, high: float, meaning: str) -> Any:
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra={"unit": unit})


def _other(default: Any, meaning: str, allowed: str) -> Any:
    extra: dict[str, Any] = {"unit": "", "allowed": allowed}
    return Field(default, description=meaning, json_schema_extra=extra)


def _selected(value: Any) -> Any:
    """Check a selection; pydantic takes a ValueError."""
    if value is not None:
        try:
            parse_selection(value)
        except InputError as error:
            raise ValueError(str(error)) from None
    return value


class InputItem(Section):
    """A file or folder, or a pattern of several, and what of it is taken."""

    path: str = _other(..., "File, folder, or pattern such as `data/*.tif`", "path or pattern")
    positions: Selection | None = _other(
        None, "Positions of the file that are taken; none takes all", "such as `0-3,5`, from 0"
    )
    frames: str | None = _other(
        None, "Frames that are taken, first and last; none takes all", "such as `0-99`, from 0"
    )
    sample: str | None = _other(None, "Sample that its positions belong to", "text")
    frame_interval_s: float | None = _number(
        None, "s", 1e-9, 1e9, "Time between frames; none takes the plan's, or the file's"
    )
    nm_per_px: float | None = _number(
        None, "nm/px", 0.01, 1e6, "Size of a pixel; none takes the plan's, or the file's"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        if isinstance(value, (str, Path)):
            return {"path": str(value)}
        if isinstance(value, dict) and "position" in value and "positions" not in value:
            return {("positions" if k == "position" else k): v for k, v in value.items()}
        return value

    @field_validator("positions", mode="before")
    @classmethod
    def _positions(cls, value: Any) -> Any:
        return _selected(value)

    @field_validator("frames", mode="before")
    @classmethod
    def _frames(cls, value: Any) -> Any:
        _selected(value)
        text = value if value is None else str(value)
        if text is not None and "," in text:
            raise ValueError("frames are one range such as '0-99'")
        return text

    @property
    def path_pattern(self) -> str:
        """`path` with ``~`` resolved."""
        return str(expanded(self.path))


class Step(Section):
    """A step: the name of a service, or ``FILE.py:Class`` of one's own, and its settings."""

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and len(value) == 1:
            ((name, settings),) = value.items()
            return {"name": str(name), "settings": {} if settings is None else settings}
        if isinstance(value, dict) and set(value) == {"name", "settings"}:
            return value
        raise ValueError("a step is its name, or 'name: {setting: value}'")


class Sample(Section):
    """A sample, and the positions that belong to it by their number in the batch."""

    name: str = _other(..., "Name of the sample", "text")
    fovs: Selection = _other(..., "Positions, by number in the batch", "such as `0-3,5`, from 0")

    @field_validator("fovs", mode="before")
    @classmethod
    def _fovs(cls, value: Any) -> Any:
        return _selected(value)


class Workers(Section):
    """Processes, memory and patience of a run; results do not depend on them."""

    cpu: int | None = _number(
        None, "processes", 1, 1024, "Worker processes; none is one for each core"
    )
    gpu: int | None = _number(
        None, "processes", 0, 64, "Workers that use the GPU; none is one where a GPU works"
    )
    readers: int = _number(2, "recordings", 1, 64, "Recordings that are read at the same time")
    memory_mb: int | None = _number(
        None, "MB", 64, 100_000_000, "Memory for frames on their way; none is a quarter of all"
    )
    max_cpu_backlog: int = _number(
        64, "units", 1, 1_000_000, "Readers wait while so many units wait for CPU workers"
    )
    max_gpu_backlog: int = _number(
        64, "units", 1, 1_000_000, "Readers wait while so many units wait for GPU workers"
    )
    queue_soft_limit: int = _number(
        1024, "frames", 1, 100_000_000, "Readers slow down when so many frames have been read ahead"
    )
    queue_hard_limit: int = _number(
        4096, "frames", 1, 100_000_000, "Readers stop when so many frames have been read ahead"
    )
    unit_timeout_s: float = _number(
        600.0, "s", 0.1, 1e6, "A worker that is busy with one unit for this long is ended"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.queue_hard_limit < self.queue_soft_limit:
            raise ValueError(
                f"queue_hard_limit {self.queue_hard_limit} is below queue_soft_limit"
                f" {self.queue_soft_limit}"
            )
        return self


class Plan(Section):
    """A batch: recordings, steps, output. Use `load_plan`, or build it in a script.

    Examples
    --------
    >>> plan = Plan.model_validate({"inputs": ["a.tif"], "steps": ["segment"], "output": "out"})
    >>> plan.inputs[0].path, plan.steps[0].name
    ('a.tif', 'segment')
    """

    inputs: tuple[InputItem, ...] = Field(
        min_length=1,
        description="Recordings: paths, patterns, or {path, positions, frames, ...}",
        json_schema_extra={"allowed": "list"},
    )
    output: str = _other(..., "Folder of the results; the same folder goes on", "path")
    steps: tuple[Step, ...] = Field(
        min_length=1,
        description="Steps in order: a name, or name: {setting: value}",
        json_schema_extra={"allowed": "list"},
    )
    channels: dict[str, tuple[Channel, ...]] = _other(
        {}, "Which channels play which role", "role: number or name, or a list of them"
    )
    chunk_frames: int | None = _number(
        None, "frames", 1, 1_000_000, "Frames that are worked on at a time; none: about 32 MB"
    )
    frame_interval_s: float | None = _number(
        None, "s", 1e-9, 1e9, "Time between frames; none takes what the file says"
    )
    nm_per_px: float | None = _number(
        None, "nm/px", 0.01, 1e6, "Size of a pixel in the sample; none takes what the file says"
    )
    samples: tuple[Sample, ...] = _other((), "Samples: {name, fovs}", "list")
    workers: Workers = Workers()

    @field_validator("inputs", "steps", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, (str, Path, dict)) else value

    @field_validator("output", mode="before")
    @classmethod
    def _output(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("channels", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v if isinstance(v, (list, tuple)) else [v] for k, v in value.items()}

    @field_validator("samples", mode="before")
    @classmethod
    def _samples(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return [{"name": str(name), "fovs": fovs} for name, fovs in value.items()]
        return value

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for YAML; what is at its default is left out but for workers."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        data["inputs"] = [
            item["path"] if set(item) == {"path"} else item for item in data["inputs"]
        ]
        data["steps"] = [
            {step.name: step.settings} if step.settings else step.name for step in self.steps
        ]
        return data


def chunk_frames(plan: Plan, frame_bytes: int) -> int:
    """Return how many frames of a position are worked on at a time.

    It depends on the plan and the size of a frame alone, never on the machine, so that results
    do not either.

    Examples
    --------
    >>> plan = Plan.model_validate({"inputs": ["a.tif"], "steps": ["segment"], "output": "out"})
    >>> chunk_frames(plan, 2 * 512 * 512), chunk_frames(plan, 2 * 4096 * 4096)
    (64, 1)
    """
    if plan.chunk_frames is not None:
        return plan.chunk_frames
    return max(1, min(_MAX_CHUNK_FRAMES, CHUNK_BYTES // max(1, frame_bytes)))
