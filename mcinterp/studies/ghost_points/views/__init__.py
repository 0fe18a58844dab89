"""Sections of the study's page: the system of one parameter, and trained networks."""
