"""Thin Qt: build widgets, connect them to a presenter, show what it says."""
