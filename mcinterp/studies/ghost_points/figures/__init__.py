"""Figures of the system of one parameter, and of trained networks."""
