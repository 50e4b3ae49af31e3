"""Pages of a search: where one ends and the next begins, in which order, and matches by file."""
