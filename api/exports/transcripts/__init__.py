"""Transcripts as files: from segments to one document and one writer a format."""
