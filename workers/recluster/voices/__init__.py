"""Voices of a Collection: who joins whom, and what is known of faces and of files meanwhile."""
