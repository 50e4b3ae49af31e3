"""Watch folders and their files, as the API and the watcher share them."""
