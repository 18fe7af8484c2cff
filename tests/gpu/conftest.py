"""Tests of this folder need a CUDA device; without one there are none to collect."""

from __future__ import annotations

from napari_beadscope.tracking.gpu_memory import why_not

collect_ignore_glob = ["test_*.py"] if why_not() else []
