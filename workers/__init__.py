"""Worker processes: they answer bells, keep models warm and publish artefacts."""
