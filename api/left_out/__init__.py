"""Files that people left out of analysis: watch folders do not try them again."""
