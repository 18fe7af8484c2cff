"""A lock on a device that serves one client at a time; it falls if its holder dies."""

from __future__ import annotations

from filelock import FileLock

from napari_beadscope.wire import runtime_folder


def gpu_lock(device: str) -> FileLock:
    """Return the lock for `device` ("cuda:0"): a context manager, the same for all processes."""
    return FileLock(str(runtime_folder() / f"{device.replace(':', '-')}.lock"))
