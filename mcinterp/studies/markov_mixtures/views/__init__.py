"""Sections of the page, one for each of what the study measures."""
