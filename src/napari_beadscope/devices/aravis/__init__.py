"""GigE Vision and USB3 Vision cameras of any maker through the Aravis library."""

from __future__ import annotations
