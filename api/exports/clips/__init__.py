"""Clips cut out of media files: what a request asks for and what became of it."""
