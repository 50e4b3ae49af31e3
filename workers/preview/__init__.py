"""Segments of a preview: footage as any browser plays it, small, and shown at the same times."""
