"""What API and workers both stand on. Imports neither, opens nothing at import."""
