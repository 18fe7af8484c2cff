"""The user's folder for words and locks, and where a session's socket is."""

from __future__ import annotations

import os
from pathlib import Path

from napari_beadscope.ring.segment import segment_folder


def runtime_folder() -> Path:
    """Return the user's folder for sockets' words and locks, created if need be."""
    override = os.environ.get("BEADSCOPE_RUNTIME_DIR")
    if override:
        folder = Path(override)
    else:
        import platformdirs

        folder = Path(platformdirs.user_state_dir("beadscope", appauthor=False)) / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def socket_address(session: str) -> str:
    """Return where the owner of a session listens: a Unix socket, a named pipe on Windows."""
    if os.name == "nt":
        return rf"\\.\pipe\beadscope-{session}"
    return str(segment_folder() / f"beadscope-{session}-socket")
