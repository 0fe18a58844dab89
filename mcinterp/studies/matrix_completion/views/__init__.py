"""Sections of pages, of the passes that are about matrices."""
