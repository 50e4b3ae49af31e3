"""CacheDirs as requests see them: what each holds, and where its MediaFiles lie on disk."""
