"""What attacks are made of: files that refer to others, who listens, what is swapped."""
