"""Questions of the API to the query workers, and where they lie in Redis."""
