"""What lies in a CacheDir: its files, its catalogue, and the artefacts by kind."""
