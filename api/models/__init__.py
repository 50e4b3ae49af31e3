"""Models: which there are, which is loaded, which answers."""
