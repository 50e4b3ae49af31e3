"""Entry points that start the real processes with one extra behaviour, named for it."""
