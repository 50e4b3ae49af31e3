"""Output of commands: tables, pictures, progress, completions."""
