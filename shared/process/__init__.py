"""What every process of ours has: logs, traces, a pipe to its parent."""
