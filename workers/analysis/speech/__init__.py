"""From sound to segments of text: where somebody speaks, what is said, and what is not believed."""
