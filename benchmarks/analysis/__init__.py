"""What an analysis costs, by its parts."""
