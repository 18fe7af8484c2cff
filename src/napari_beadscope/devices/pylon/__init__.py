"""Basler cameras through pypylon; the library is imported on use."""
