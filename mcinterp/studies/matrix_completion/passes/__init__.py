"""Passes that are about matrices."""
