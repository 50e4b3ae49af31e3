"""Scans of a watched folder: when, of what, and whether it is still the same root."""
