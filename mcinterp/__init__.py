"""Mechanistic interpretability of abrupt learning."""
