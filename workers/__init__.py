"""Worker processes: they take jobs, keep models warm and publish artefacts."""
