"""Arguments of commands: paths, times, clips, clusters, and options of many fields."""
