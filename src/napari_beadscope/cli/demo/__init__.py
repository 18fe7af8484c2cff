"""`beadscope demo`: the simulated microscope end to end, judged against its own truth.

Owns the scene, the comparison and the report. Everything recorded is made by the same code that
runs a real microscope.
"""
