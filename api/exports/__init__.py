"""Exports: clips, timelines and transcripts as files."""
