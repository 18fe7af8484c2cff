"""The report of a batch: one HTML file with everything in it, to be read, sent and kept.

Reads the journal and what it says is done; writes nothing but the report. Must not know runs.
"""

from __future__ import annotations
