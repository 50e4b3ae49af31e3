"""Filters of a search: what is asked, what is known of files, and which of them are left."""
