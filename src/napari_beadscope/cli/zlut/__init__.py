"""`beadscope zlut build | convert | show`: Z-LUTs from sweeps, from other programs, at a glance."""

from __future__ import annotations
