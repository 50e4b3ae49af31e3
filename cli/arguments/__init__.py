"""What is typed after a command: paths, times, clips, clusters, and options of many fields."""
