"""Deleting: results of files, which can be undone for a day; and a person, which cannot."""
