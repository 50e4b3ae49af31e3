"""Whether this machine can do an Item: roots, folders and weights that are here, away or back."""
