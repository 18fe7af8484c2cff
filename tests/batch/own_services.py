"""Small services for the tests of runs, with faults that tests switch on by files in a folder.

A fault is a file named ``FAULT-POSITION-STEP-FIRST`` in the folder `faults`; `once` faults remove
it. Every unit that is computed adds a line to ``computed.txt`` there.
"""

from __future__ import annotations

import os
import signal
import time
from abc import abstractmethod
from pathlib import Path

import numpy as np
from pydantic import Field

from napari_beadscope.batch.service import Facts, Service, ServiceSettings, Work


class Own(ServiceSettings):
    """Settings of all of them."""

    faults: str = Field("", description="Folder of faults")
    factor: int = Field(1, description="Factor of all results")
    seconds: float = Field(0.0, description="Time that a unit takes, in s")


class _Faulty(Service):
    Settings = Own

    def process(self, work: Work, settings: Own) -> Facts:
        name = f"{work.position.name}-{self.name}-{work.first}"
        faults = Path(settings.faults)
        if settings.faults:
            with (faults / "computed.txt").open("a") as file:
                file.write(f"{name}\n")
            for fault in ("kill", "hang"):
                if (faults / f"{fault}-{name}").exists():
                    (faults / f"{fault}-{name}").unlink()
                    work.output.write_bytes(b"half")
                    getattr(self, fault)()
            if (faults / f"crash-{name}").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            if (faults / f"raise-{name}").exists():
                work.output.write_bytes(b"half")
                raise ValueError("these cells are upside down")
        time.sleep(settings.seconds)
        return self.compute(work, settings)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self) -> None:
        time.sleep(1000)

    @abstractmethod
    def compute(self, work: Work, settings: Own) -> Facts:
        """What the service does, faults apart."""


class Sums(_Faulty):
    """Sum of every frame of both channels."""

    name = "sums"
    category = "SEGMENT"

    def channels(self, plan_channels, settings):
        return plan_channels["phase"] + plan_channels.get("fluorescence", ())

    def compute(self, work: Work, settings: Own) -> Facts:
        channels = self.channels(work.plan_channels, settings)
        frames = [work.frames(channel) for channel in channels]
        assert not frames[0].flags.writeable
        sums = np.array([frame.sum((1, 2), dtype=np.int64) for frame in frames]).T
        np.save(work.output, sums * settings.factor)
        return {"frames": len(sums)}


class Running(_Faulty):
    """Running total of the first channel: chunk after chunk."""

    name = "running"
    category = "BEAD_LINK"
    needs = ("sums",)
    ordered = True

    def compute(self, work: Work, settings: Own) -> Facts:
        before = np.load(work.inputs["running"][0])[-1] if work.inputs["running"] else 0
        np.save(work.output, before + np.cumsum(np.load(work.inputs["sums"][0])[:, 0]))
        return {}


class Table(_Faulty):
    """All of it as CSV: one file for a position."""

    name = "table"
    category = "FINAL_WRITE"
    needs = ("sums", "running")
    whole = True
    suffix = ".csv"

    def compute(self, work: Work, settings: Own) -> Facts:
        sums = np.concatenate([np.load(path) for path in work.inputs["sums"]])
        running = np.concatenate([np.load(path) for path in work.inputs["running"]])
        lines = ["frame,sum,running"]
        lines += [f"{k},{sums[k, 0] * settings.factor},{running[k]}" for k in range(len(sums))]
        work.output.write_text("\n".join(lines) + "\n", newline="")
        return {"rows": len(sums)}
