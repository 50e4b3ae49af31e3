"""The `rushes` command: starts processes and drives the public API; imports neither's insides."""
