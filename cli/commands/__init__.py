"""Commands: one module a command, or a group of commands; cli/main.py puts them together."""
