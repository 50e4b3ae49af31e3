"""What a command shows: tables, pictures, progress, completions."""
