"""Collections of faces as requests see them. Sync: routes call it in a thread."""
