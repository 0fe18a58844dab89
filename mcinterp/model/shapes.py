"""Shapes of activations under the field's names; while tests run, calls of all passes but training's are held to them.

One name stands for one number within a call: a `Z` of 25 positions does not go with a `Resid` of 24.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

Tokens = Int[Tensor, "batch pos"]
Resid = Float[Tensor, "batch pos d_model"]
"""The residual stream, or what is added to it."""
Pattern = Float[Tensor, "batch head pos pos"]
"""Softmax probabilities, of query and key."""
ByHead = Float[Tensor, "batch head pos d_head"]
Z = Float[Tensor, "batch pos head d_head"]
"""Outputs of heads before W_O."""
Absent = Float[Tensor, "*mask"]
"""What is added to attention scores, broadcast to (batch, head, query, key): 0, and −∞ at keys that are not seen."""
Turns = Float[Tensor, "2 pos pair"]
"""Cosines and sines by which rotary positions turn pairs of numbers."""
Answers = Float[Tensor, "batch *answer"]
"""What a model answers to each sample: a number at every position, the logits of the next token, …"""
