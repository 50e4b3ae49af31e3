"""The pictures of a clip: which are decoded, where they may be cut, how they are encoded."""
