"""Cameras by the GenICam standard: what all of them share, and those of GenTL producers.

Owns the standard's names and how they become properties, and the stream of frames. Must not
know any vendor.
"""
