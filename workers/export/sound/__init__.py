"""The sound of a clip: copied or encoded."""
