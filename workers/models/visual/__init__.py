"""Visual models."""
