"""Attacks, against real processes that may not take all memory: what SECURITY.md promises."""
