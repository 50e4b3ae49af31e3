"""The watcher: finds what arrives in watched folders and submits it. Imports no model library."""
