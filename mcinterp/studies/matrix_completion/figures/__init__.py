"""Figures of the passes that are about matrices."""
