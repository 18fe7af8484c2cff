"""Micro-Manager: the cameras and stages of a hardware configuration (``.cfg``).

All devices of a configuration live in one MMCore, and an MMCore in one process: that of the
camera, or, without one, that of the first stage. It serves the stages to the processes of the
others over a local socket. Owns all of that; must not know engines.
"""
