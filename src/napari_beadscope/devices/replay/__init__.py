"""Recordings as a camera: TIFF, movies, folders of images.

Owns nothing but names. Must not know where its frames go.
"""

from __future__ import annotations

from napari_beadscope.devices.replay.camera import ReplayCamera, ReplayOptions
from napari_beadscope.devices.replay.source import FrameSource, open_frames

__all__ = ["FrameSource", "ReplayCamera", "ReplayOptions", "open_frames"]
