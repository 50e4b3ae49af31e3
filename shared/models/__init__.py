"""What models there are, which are active, and where their weights come from."""
