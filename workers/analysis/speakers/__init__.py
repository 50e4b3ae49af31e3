"""Who speaks when in a file: windows of speech, groups of like voices, a voice for each word."""
