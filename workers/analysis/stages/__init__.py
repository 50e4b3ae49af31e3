"""Stages: each takes grid frames of one file and yields one artefact."""
