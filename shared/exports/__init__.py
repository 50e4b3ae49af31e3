"""Exports: pure functions from a document to the bytes of a file, and how that file is written."""
