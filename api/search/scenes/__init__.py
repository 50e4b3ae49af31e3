"""Searches by scenes: an index that gives nearly the exact answer, in a time that hardly grows."""
