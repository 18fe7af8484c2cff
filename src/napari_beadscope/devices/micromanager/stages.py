"""The stages of a core: each axis of each stage is for one client, and none makes another wait.

Owns how an axis is moved, read and halted, also where the two axes of one stage are moved by
different clients. Must not know where requests come from.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING

from napari_beadscope.core.errors import DeviceError, InputError
from napari_beadscope.core.lifetime import Closing
from napari_beadscope.devices.micromanager.core import labels_of, told
from napari_beadscope.devices.micromanager.verbs import Reading

if TYPE_CHECKING:
    from pymmcore import CMMCore

#: Adapters may hold a move until the stage is there: after this long it goes on by itself.
_PROMPT_S = 0.05


class _Stage(ABC):
    """One stage device. What moves it runs in a thread, since adapters may wait for its end."""

    axes: tuple[str, ...] = ("",)

    def __init__(self, core: CMMCore, label: str) -> None:
        self.label = label
        self._core = core
        self._lock = threading.Lock()
        self._mover = ThreadPoolExecutor(1, f"stage-{label}")
        self._move: Future[None] | None = None
        self._under_way: dict[str, float] = {}  # axes that were sent somewhere, and where to
        self._places = dict.fromkeys(self.axes, 0.0)  # as last read

    @abstractmethod
    def _read(self) -> None:
        """Bring `_places` up to date."""

    @abstractmethod
    def _send(self, goals: dict[str, float]) -> None:
        """Move the axes to where `goals` say, and leave the others where they are."""

    def name(self, axis: str) -> str:
        return f"{self.label} {axis}" if axis else self.label

    def reading(self, axis: str) -> Reading:
        with self._lock:
            moving = self._moving()
            if not self._held_up():
                with told(f"the position of stage {self.label} cannot be read"):
                    self._read()
            return Reading(self.name(axis), self._places[axis], moving and axis in self._under_way)

    def go(self, axis: str, target: float) -> None:
        with self._lock:
            goals = {**self._under_way, axis: target} if self._moving() else {axis: target}
            self._run(goals)

    def halt(self, axis: str) -> None:
        with self._lock:
            if not self._moving() or axis not in self._under_way:
                return
            with told(f"the stage {self.label} cannot be stopped"):
                self._core.stop(self.label)
            others = {name: goal for name, goal in self._under_way.items() if name != axis}
            self._under_way = {}
            if others:
                self._run(others)

    def close(self) -> None:
        self._mover.shutdown(wait=False, cancel_futures=True)

    def _run(self, goals: dict[str, float]) -> None:
        self._under_way = goals
        move = self._move = self._mover.submit(self._send, goals)
        with told(f"the stage {self.label} cannot be moved"):
            try:
                move.result(_PROMPT_S)
            except NotYet:
                if move.done():
                    raise

    def _held_up(self) -> bool:
        return self._move is not None and not self._move.done()

    def _moving(self) -> bool:
        if self._held_up():
            return True
        move, self._move = self._move, None
        with told(f"the stage {self.label} failed on its way"):
            if move is not None:
                move.result()
            moving = bool(self._core.deviceBusy(self.label))
        if not moving:
            self._under_way = {}
        return moving


class _FocusStage(_Stage):
    """A stage of one axis."""

    def _read(self) -> None:
        self._places[""] = self._core.getPosition(self.label)

    def _send(self, goals: dict[str, float]) -> None:
        self._core.setPosition(self.label, goals[""])


class _TableStage(_Stage):
    """A stage of two axes, which can only be sent somewhere together."""

    axes = ("x", "y")

    def _read(self) -> None:
        self._places["x"], self._places["y"] = self._core.getXYPosition(self.label)

    def _send(self, goals: dict[str, float]) -> None:
        x, y = self._core.getXYPosition(self.label)
        self._core.setXYPosition(self.label, goals.get("x", x), goals.get("y", y))


class Stages(Closing):
    """All stages of a core."""

    def __init__(self, core: CMMCore) -> None:
        self._lock = threading.Lock()
        self._owners: dict[tuple[str, str], int] = {}
        self._focus = core.getFocusDevice()
        kinds: dict[str, Callable[[CMMCore, str], _Stage]] = {
            "Stage": _FocusStage,
            "XYStage": _TableStage,
        }
        self._stages = {
            label: make(core, label)
            for kind, make in kinds.items()
            for label in labels_of(core, kind)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What can follow ``FILE.cfg:`` in the ID of a motor."""
        return tuple(
            f"{stage.label}:{axis}" if axis else stage.label
            for stage in self._stages.values()
            for axis in stage.axes
        )

    def claim(self, device: str, axis: str, pid: int) -> Axis:
        """Return an axis that nobody else has; InputError or DeviceError saying why not."""
        label = device or self._focus
        stage = self._stages.get(label)
        if stage is None or axis not in stage.axes:
            wanted = f"{label}:{axis}" if axis else label
            why = "says not which stage moves the focus" if not label else f"has no stage {wanted}"
            raise InputError(
                f"the configuration of Micro-Manager {why}",
                f"choose from {', '.join(self.names) or 'another configuration'}",
            )
        key = (label, axis)
        with self._lock:
            if key in self._owners:
                raise DeviceError(
                    f"the stage {stage.name(axis)} is in use by process {self._owners[key]}",
                    "remove that motor first",
                )
            self._owners[key] = pid
        return Axis(stage, axis, lambda: self._release(key))

    def _release(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._owners.pop(key, None)

    def close(self) -> None:
        """Send no stage anywhere any more; they go on to where they were sent."""
        for stage in self._stages.values():
            stage.close()


class Axis(Closing):
    """One axis of a stage, for the one who has claimed it."""

    def __init__(self, stage: _Stage, axis: str, release: Callable[[], None]) -> None:
        self._stage, self._axis, self._release = stage, axis, release

    def reading(self) -> Reading:
        """Return where it is, in um, and whether it moves."""
        return self._stage.reading(self._axis)

    def go(self, target: float) -> None:
        """Start to move to `target`, um."""
        self._stage.go(self._axis, target)

    def halt(self) -> None:
        """Stay where it is; the other axis of the stage goes on."""
        self._stage.halt(self._axis)

    def close(self) -> None:
        """Let others have it."""
        self._release()
