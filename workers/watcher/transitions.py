"""What is raised where a phase cannot follow the one before it."""

from __future__ import annotations


class IllegalTransition(Exception):
    """A step that the table of legal ones does not hold: an error of ours."""
