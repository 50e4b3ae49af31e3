"""Voices of Collections: who they are, and whose faces are seen while they speak."""
