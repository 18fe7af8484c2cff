"""A driver for the session state machine: steps it and keeps what it wanted done."""

from __future__ import annotations

from typing import Any

import pytest

from napari_beadscope.core import session
from napari_beadscope.core.commands import SetBeads, StartLive
from napari_beadscope.core.messages import Reply, Request, Stream
from napari_beadscope.core.orders import Armed, Began, Done, Finished, Ready
from napari_beadscope.core.session_state import (
    Answer,
    Asked,
    Effect,
    Gone,
    Joined,
    Limits,
    Publish,
    Said,
    StreamMade,
    Tell,
    Tick,
)
from napari_beadscope.core.types import Bead, FrameFormat, Roi

FORMAT = FrameFormat(100, 120, "uint8")
STREAM = Stream("ring", FORMAT, 8, 100.0, False)


class Driver:
    """An engine whose workers do only what the test says."""

    def __init__(self, **limits: Any) -> None:
        self.now_s, self.head, self.number = 0.0, 0, 0
        self.limits = Limits(**{"trackers": 2, **limits})
        self.state, self.effects = session.start("fake", self.limits, 0.0)
        self.all_effects = list(self.effects)
        self.feed(Joined(1))

    def feed(self, stimulus: Any) -> list[Effect]:
        at = session.At(self.now_s, self.head)
        self.state, self.effects = session.step(self.state, at, stimulus)
        self.all_effects += self.effects
        return self.effects

    def ask(self, command: Any, client: int = 1) -> int:
        self.number += 1
        self.feed(Asked(client, Request(self.number, command)))
        return self.number

    def say(self, worker: str, report: Any) -> list[Effect]:
        return self.feed(Said(worker, report))

    def gone(self, worker: str, why: str = "killed by SIGKILL") -> list[Effect]:
        return self.feed(Gone(worker, why))

    def tick(self, seconds: float, **ages_s: float) -> list[Effect]:
        self.now_s += seconds
        ages = {name.replace("_", "-"): age for name, age in ages_s.items()}
        return self.feed(Tick(ages))

    def ready(self, *names: str) -> None:
        for name in names or tuple(self.state.workers):
            format = FORMAT if name == "camera" else None
            self.say(name, Ready(format, 100.0, unit="um", limits=(-50.0, 50.0)))
            if name == "camera" and self.state.stream is None:
                self.feed(StreamMade(STREAM))

    def come_up(self) -> Driver:
        """Bring everything up, with two beads and a camera that streams."""
        self.ready()
        self.ask(SetBeads((Bead(0, Roi(0, 0, 20)), Bead(1, Roi(30, 30, 20)))))
        for name in self.state.trackers:
            self.say(name, Done(self.state.counter))
        self.ask(StartLive())
        return self

    def arm(self, *names: str) -> None:
        number = self.state.recording.number
        for name in names or sorted(self.state.recording.participants):
            self.say(name, Armed(number, self.head))

    def begin(self, *names: str) -> None:
        number = self.state.recording.number
        for name in names or sorted(self.state.recording.participants):
            self.say(name, Began(number))

    def finish(self, *names: str, frames: int = 5, rows: int = 9) -> None:
        number = self.state.recording.number
        for name in names or sorted(self.state.recording.participants):
            self.say(name, Finished(number, frames, rows))

    def replies(self, number: int | None = None) -> list[Reply]:
        found = [e.reply for e in self.all_effects if isinstance(e, Answer)]
        return found if number is None else [r for r in found if r.number == number]

    def reply(self, number: int) -> Reply:
        (reply,) = self.replies(number)
        return reply

    def orders(self, worker: str, kind: type | None = None) -> list[Any]:
        """Orders to a worker among the last effects."""
        found = [e.order for e in self.effects if isinstance(e, Tell) and e.worker == worker]
        return [order for order in found if kind is None or isinstance(order, kind)]

    def events(self, kind: type, *, last: bool = False) -> list[Any]:
        effects = self.effects if last else self.all_effects
        return [e.event for e in effects if isinstance(e, Publish) and isinstance(e.event, kind)]


@pytest.fixture
def make() -> type[Driver]:
    """Make an engine that is starting; keywords set its limits."""
    return Driver


@pytest.fixture
def engine() -> Driver:
    """An engine that is up, with two beads and a camera that streams."""
    return Driver().come_up()
