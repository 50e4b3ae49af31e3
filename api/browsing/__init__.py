"""Media folders, from which people choose: what is there, what is analyzed, what the rest costs."""
