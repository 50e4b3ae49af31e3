"""What media folders and their analysis are said to cost, without a server."""
