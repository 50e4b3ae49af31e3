"""How much of what is asked a search can know: what is analyzed, waiting, failed, unknown."""
