"""The `rushes` command: starts processes, drives the public API; imports neither one's insides."""
