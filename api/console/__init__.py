"""The console: its files, and signing in to it with a browser."""
