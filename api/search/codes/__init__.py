"""Stored rows in fewer bits, passed over to find candidates."""
