"""Sound of a media file: mono, 16 kHz, on the container's clock."""
