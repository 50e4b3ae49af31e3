"""Search over published analysis data: index, scan, ranking. Knows nothing of HTTP."""
