"""The `beadscope` command: what a terminal, a script or a cron job gives and gets.

Owns words, options, exit codes and the demo. Must not know shared memory or the engine's
processes: everything it does is done through `Scope`, `storage`, `tracking` and `devices`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; what the console script calls."""
    try:
        from napari_beadscope.cli.boundary import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the time in which signals are watched
        code = 130
    sys.exit(code)
