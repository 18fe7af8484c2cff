"""Beads in batches: arrays in, arrays out; placed, tracked, linked, freed of drift, smoothed.

Knows nothing of plans, runs, journals or processes: `batch.services` wraps these functions.
"""
