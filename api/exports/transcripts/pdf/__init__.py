"""PDF of a transcript, set from glyphs."""
