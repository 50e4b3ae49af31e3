"""The cache folders that this server knows, with how much is in them."""
