"""What the API and the workers both stand on. Imports nothing from either, opens nothing at import."""
