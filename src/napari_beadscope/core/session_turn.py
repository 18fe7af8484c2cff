"""One turn of the session state machine: the state so far and the effects collected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.messages import Event, Reply
from napari_beadscope.core.orders import Order
from napari_beadscope.core.session_state import Answer, Effect, Kill, Publish, State, Tell

Asker = tuple[int, int]  # (client, request number)


class Turn:
    """Collects what one stimulus changes; lives inside one call of `core.session.step`."""

    def __init__(self, state: State, now_s: float, head: int) -> None:
        self.state = state
        self.now_s = now_s
        self.head = head
        self.effects: list[Effect] = []

    def set(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = replace(self.state, **changes)

    def worker(self, name: str, **changes: Any) -> None:
        """Replace fields of one worker."""
        worker = replace(self.state.workers[name], **changes)
        self.set(workers={**self.state.workers, name: worker})

    def recording(self, **changes: Any) -> None:
        """Replace fields of the recording."""
        assert self.state.recording is not None
        self.set(recording=replace(self.state.recording, **changes))

    def number(self) -> int:
        """Return a fresh order number."""
        self.set(counter=self.state.counter + 1)
        return self.state.counter

    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self.effects.append(effect)

    def tell(self, worker: str, order: Order) -> None:
        """Send an order to a worker that is ready; to another one it is not sent.

        What a worker must know when it becomes ready is told it then, by the rules for that.
        """
        if self.state.is_ready(worker):
            self.do(Tell(worker, order))

    def kill(self, worker: str, why: str) -> None:
        """Kill a worker's process, if it lives and has not been killed yet."""
        if self.state.workers[worker].alive and not self.state.workers[worker].killed_for:
            self.worker(worker, killed_for=why, killed_s=self.now_s)
            self.do(Kill(worker))

    def publish(self, event: Event) -> None:
        """Send an event to every front end."""
        self.do(Publish(event))

    def reply(
        self, asker: Asker | None, error: BeadscopeError | None = None, value: Any = None
    ) -> None:
        """Answer a command: done, or why not."""
        if asker is None:
            return
        client, number = asker
        if error is None:
            self.do(Answer(client, Reply(number, value=value)))
            return
        kind = type(error).__name__
        self.do(Answer(client, Reply(number, kind, error.what, error.remedy)))
