"""`beadscope bench`: how fast and how right the trackers are on this machine.

Owns scenes with ground truth and what is measured on them. Everything tracked is tracked through
the same backends that run in an experiment; the only other code is magtrack's own.
"""
