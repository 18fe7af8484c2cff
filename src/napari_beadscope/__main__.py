"""``python -m napari_beadscope`` is the `beadscope` command."""

from __future__ import annotations

from napari_beadscope.cli import main

if __name__ == "__main__":
    main()
