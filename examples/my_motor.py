"""A motor of your own, in a file of your own: a magnet on a lift, behind a serial line.

`MagnetLift` is all that is needed. ``scope.add_hardware("magnet", "my_motor.py:MagnetLift")``
gives it a process of its own, limits, history, locks and a card in the Hardware dock.
"""

from __future__ import annotations

import time

from napari_beadscope import Scope
from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.devices import MotorBase


class MagnetLift(MotorBase):
    """One axis of a controller that understands ``MOVE``, ``POS?``, ``BUSY?`` and ``HALT``."""

    unit = "mm"
    limits = (0.0, 25.0)
    settle_s = 0.02

    def __init__(self, port: str = "COM4", speed_mm_per_s: float = 5.0) -> None:
        self.port, self.speed = port, speed_mm_per_s

    def connect(self) -> None:
        self.line = SerialLine(self.port)
        self.line.ask(f"SPEED {self.speed}")

    def disconnect(self) -> None:
        self.line.close()

    def go(self, target: float) -> None:
        self.line.ask(f"MOVE {target:.4f}")

    def position(self) -> float:
        return float(self.line.ask("POS?"))

    def travelling(self) -> bool:
        return self.line.ask("BUSY?") == "1"

    def halt(self) -> None:
        self.line.ask("HALT")


class SerialLine:
    """Stands in for the controller, so that this runs without one; yours uses ``pyserial``."""

    def __init__(self, port: str) -> None:
        self.began, self.target, self.began_s, self.speed = 0.0, 0.0, 0.0, 1.0

    def ask(self, words: str) -> str:
        command, _, number = words.partition(" ")
        way = self.target - self.began
        done = min(abs(way), (time.monotonic() - self.began_s) * self.speed)
        here = self.began + (done if way > 0 else -done)
        if command == "SPEED":
            self.speed = float(number)
        elif command in ("MOVE", "HALT"):
            self.began, self.began_s = here, time.monotonic()
            self.target = float(number) if number else here
        return f"{here:.4f}" if command == "POS?" else str(int(done < abs(way)))

    def close(self) -> None:
        pass


if __name__ == "__main__":
    with Scope("simulated", options={"beads": 4}) as scope:
        scope.add_hardware("magnet", f"{__file__}:MagnetLift", port="COM7", speed_mm_per_s=20.0)
        scope.move("magnet", 6.0)  # returns when it has settled
        (magnet,) = scope.motors()
        print(f"{magnet.info.name} is at {magnet.position:.2f} {magnet.info.unit}")
        try:
            scope.move("magnet", 30.0)
        except BeadscopeError as error:
            print(error)
