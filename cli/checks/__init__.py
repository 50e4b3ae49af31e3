"""Checks of what must be right before a server can run: made at start and by `rushes doctor`."""
