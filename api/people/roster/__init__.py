"""Everybody who has a name, in one cache folder or in all."""
