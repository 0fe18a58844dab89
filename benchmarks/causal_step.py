"""How fast next-token models train: python benchmarks/causal_step.py [ROUNDS].

2 layers, 4 heads, d_model 64, 64 tokens, batches of 64 sequences of 64 positions, one thread. Forward pass,
cross-entropy at every position and backward pass, with the pass that training uses and with TransformerLens's hooked
one, each in a process of its own, in turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from measure import Step, apart, interleaved, ratio, store

from mcinterp.config.transformer import TransformerConfig
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.training.memory import keep_freed_memory

D_VOCAB, N_POSITIONS, BATCH = 64, 64, 64
FORMS: dict[str, dict[str, object]] = {
    "learned": {},
    "rotary": {"positions": "rotary"},
    "attention only": {"attention_only": True},
    "rotary, attention only, tied": {"positions": "rotary", "attention_only": True, "tied": True},
}


def main() -> None:
    """Print and store the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 31
    rows = []
    for form in FORMS:
        makers = {"ours": partial(step, form, True), "hooked": partial(step, form, False)}
        with apart(makers, threads=1) as candidates:
            seconds = interleaved(candidates, rounds)
        faster = "{:.2f} ({:.2f} to {:.2f})".format(*ratio(seconds["hooked"], seconds["ours"]))
        milliseconds = {f"{name} ms": 1e3 * median(seconds[name]) for name in makers}
        rows.append({"form": form, "rounds": rounds, **milliseconds, "hooked / ours": faster})
    store("causal_step", rows)


def step(form: str, ours: bool) -> Step:
    """Forward and backward pass of one batch."""
    if ours:
        keep_freed_memory()
    model = CausalTransformer(TransformerConfig(**FORMS[form]), D_VOCAB, N_POSITIONS)  # type: ignore[arg-type]
    forward: Callable[[torch.Tensor], torch.Tensor] = training_forward(model) if ours else model
    parameters = list(trainable(model).values())
    tokens = torch.randint(D_VOCAB, (BATCH, N_POSITIONS + 1), generator=torch.Generator().manual_seed(0))

    def run() -> None:
        logits = forward(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        torch.autograd.grad(loss, parameters)

    return run


if __name__ == "__main__":
    main()
