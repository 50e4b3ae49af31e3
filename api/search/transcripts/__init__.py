"""Search in what was said: folded text of all transcripts of a CacheDir."""
