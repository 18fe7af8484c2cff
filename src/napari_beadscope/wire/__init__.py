"""How processes of one user on one machine find each other and talk: local, authenticated.

Owns connections and the folder in which word of them is left. Knows nothing of what is said.
"""

from __future__ import annotations

from napari_beadscope.wire.folders import runtime_folder, socket_address
from napari_beadscope.wire.link import MAX_MESSAGE, Doorman, Link, dial, shut

__all__ = ["MAX_MESSAGE", "Doorman", "Link", "dial", "runtime_folder", "shut", "socket_address"]
