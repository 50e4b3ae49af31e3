"""The query worker: what a request needs at once and the API must not do itself."""
