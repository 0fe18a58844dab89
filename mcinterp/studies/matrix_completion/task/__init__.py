"""Matrices, masks, tokens, and the two tasks made of them."""
