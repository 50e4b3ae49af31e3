"""Faces into people: grouping all faces of a Collection, adding new ones, finding parameters."""
