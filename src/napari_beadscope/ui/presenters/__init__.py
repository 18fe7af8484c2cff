"""Intentions into calls, values into words; one presenter per dock, none of them knows Qt."""
