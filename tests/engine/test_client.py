"""The client's parts that need no engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

RACE = """
import sys, threading
import msgspec
from napari_beadscope.core.commands import AddMotor
from napari_beadscope.core.messages import Request
from napari_beadscope.engine import client

sys.setswitchinterval(1e-6)
data = msgspec.msgpack.encode(Request(1, AddMotor("focus", "simulated-focus", {})))
together = threading.Barrier(16)

def decode():
    together.wait()
    msgspec.msgpack.decode(data, type=Request)

threads = [threading.Thread(target=decode) for _ in range(16)]
for one in threads:
    one.start()
for one in threads:
    one.join()
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("attempt", range(6))
def test_threads_may_be_the_first_to_ask(attempt: int) -> None:
    """Without the client's own decoder, one in four of these crashes in msgspec."""
    run = subprocess.run([sys.executable, "-c", RACE], check=False, timeout=100)
    assert run.returncode == 0
