"""One script a question; each prints a ratio against a peer or a limit, as medians."""
