"""Re-processing of recordings: plans, sources, services, and the runs that go on where they ended.

Owns what happens to recordings after the experiment. Must not know user interfaces, scripts or
the engine's processes.
"""

from __future__ import annotations
