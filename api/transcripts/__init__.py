"""Transcripts as requests see them."""
