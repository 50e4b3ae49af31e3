"""What the API asks of the query worker."""
