"""Looking at a watched folder: when, at what, and whether it is still the same place."""
