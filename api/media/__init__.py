"""Media files: their facts, thumbnails, and where their results lie."""
