"""What must be right before a server can run: seen at start, and at once by `rushes doctor`."""
