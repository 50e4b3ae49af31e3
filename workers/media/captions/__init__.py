"""Words that a file holds already: subtitle tracks and closed captions."""
