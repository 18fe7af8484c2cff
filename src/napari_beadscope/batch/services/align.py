"""The step `align`: how far the stage moves from frame to frame, by phase correlation.

Owns the settings' names. The step `track` takes it out before it links cells.
"""

from __future__ import annotations

from napari_beadscope.batch.service import Facts, PlanChannels, Service, ServiceSettings, Work
from napari_beadscope.batch.services.cell_parts import CellChannel, cell_channel, checked_channels


class AlignSettings(ServiceSettings):
    """What the stage's steps are found on."""

    channel: CellChannel = None


class Align(Service):
    """Writes the step from the frame before to every frame, ``step_y_px`` and ``step_x_px``."""

    name = "align"
    category = "ALIGN"
    suffix = ".csv"
    Settings = AlignSettings

    def channels(self, plan_channels: PlanChannels, settings: AlignSettings) -> tuple[int, ...]:
        return (cell_channel(plan_channels, settings.channel),)

    def process(self, work: Work, settings: AlignSettings) -> Facts:
        import numpy as np

        from napari_beadscope.batch.cells import shift_between

        channel = cell_channel(work.plan_channels, settings.channel)
        checked_channels(work, [channel])
        frames = work.frames(channel)
        lines, longest = [], 0.0
        before = work.frames(channel, work.first - 1, work.first)[0] if work.first else frames[0]
        for at, frame in enumerate(frames):
            work.checkpoint()
            y, x = shift_between(before, frame)
            lines.append(f"{work.position.name},{work.first + at},{y:.2f},{x:.2f}\n")
            longest = max(longest, float(np.hypot(y, x)))
            before = frame
        text = "position,frame,step_y_px,step_x_px\n" + "".join(lines)
        work.output.write_text(text, encoding="utf-8", newline="\n")
        return {"longest_step_px": round(longest, 2)}
