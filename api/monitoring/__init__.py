"""Health, metrics, traces and the request log."""
