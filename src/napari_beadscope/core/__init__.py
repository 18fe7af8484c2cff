"""Pure vocabulary of the product: types, settings, messages, errors, session state machine.

Knows nothing of processes, files, sockets, Qt or napari.
"""
