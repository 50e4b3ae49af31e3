"""Footage for players: the original by ranges, and a preview that any browser plays."""
