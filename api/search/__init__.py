"""Search over what CacheDirs hold. Sync: routes call it in a thread."""
