"""How fast next-token models write: python benchmarks/generation.py [ROUNDS].

2 layers, 4 heads, d_model 64, 64 tokens: 128 tokens after each of 64 prompts of 16 tokens, one thread, drawn at
temperature 1. Ours keeps keys and values. The rivals run the whole sequence for every new token, with the pass that
training uses and with TransformerLens's hooked one. Each in a process of its own, in turns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from measure import Step, apart, interleaved, ratio, store

from mcinterp.config.transformer import TransformerConfig
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.fused import training_forward
from mcinterp.model.generation import generate
from mcinterp.training.memory import keep_freed_memory

D_VOCAB, PROMPTS, PROMPT, NEW = 64, 64, 16, 128
WRITERS = ("ours", "no cache", "hooked")


def main() -> None:
    """Print and store the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    rows = []
    for positions in ("learned", "rotary"):
        with apart({name: partial(writer, positions, name) for name in WRITERS}, threads=1) as candidates:
            seconds = interleaved(candidates, rounds)
        row: dict[str, object] = {"positions": positions, "rounds": rounds, "ours s": median(seconds["ours"])}
        for rival in WRITERS[1:]:
            row[f"{rival} / ours"] = "{:.1f} ({:.1f} to {:.1f})".format(*ratio(seconds[rival], seconds["ours"]))
        rows.append(row)
    store("generation", rows)


@torch.no_grad()
def writer(positions: str, name: str) -> Step:
    """What writes after every prompt."""
    keep_freed_memory()
    model = CausalTransformer(TransformerConfig(positions=positions), D_VOCAB, PROMPT + NEW)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(D_VOCAB, (PROMPTS, PROMPT), generator=generator)
    if name == "ours":
        return lambda: generate(model, list(prompts), NEW, 1.0, generator=generator)
    forward = training_forward(model) if name == "no cache" else model
    return partial(_without_cache, forward, prompts, generator)


@torch.no_grad()
def _without_cache(
    forward: Callable[[torch.Tensor], torch.Tensor], prompts: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    tokens = prompts
    for _ in range(NEW):
        chosen = torch.multinomial(forward(tokens)[:, -1].softmax(-1), 1, generator=generator)
        tokens = torch.cat([tokens, chosen], 1)
    return tokens


if __name__ == "__main__":
    main()
