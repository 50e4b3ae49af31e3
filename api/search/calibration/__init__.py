"""What scores of a visual model mean where nobody has measured it: by prompts, or by labels."""
