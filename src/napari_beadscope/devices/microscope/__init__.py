"""Cameras and stages of python-microscope, https://python-microscope.org, by their class."""

from __future__ import annotations
