"""Causal tracing: which token a next token hangs on, and through which sites of the model it gets there.

After Meng et al. 2022, Locating and Editing Factual Associations in GPT (arXiv 2202.05262), Sec. 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate, ratio_estimate
from mcinterp.errors import InputError
from mcinterp.model.interventions import Edit, Intervention, intervene
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

LEAST = 8
NOISE = 3.0
"""Standard deviations of the token embeddings that the noise has."""
WINDOW = 16
"""So many tokens back, at most, the one is looked for that a next token hangs on."""
EMBEDDING = "embedding"
SITES: Mapping[str, str] = {"attention": "hook_attn_out", "MLP": "hook_mlp_out", "residual": "hook_resid_post"}
"""What of a block is restored: what its attention and its MLP add, and the residual stream after it."""

_OFFSET = "place before the position that says the next token; 0 for that position itself"
TOKEN_COLUMNS = {
    "offset": _OFFSET,
    "n": "sequences of the first half that have such a place",
    "seed": "seed of the batch",
    **interval_columns("clean", "probability of the right next token"),
    **interval_columns("corrupted", "the same with noise on the token's embedding"),
    **interval_columns("lost", "clean minus corrupted, paired"),
}
SITE_COLUMNS = {
    "layer": "block, from 0; −1 for the embedding",
    "site": f"what is as in the clean run: {', '.join(SITES)} (the stream after the block); {EMBEDDING}: the control",
    "offset": _OFFSET,
    "n": "sequences of the second half",
    "seed": "seed of the batch",
    **interval_columns("restored", "probability of the right next token, corrupted but for the site"),
    **interval_columns("recovered", "restored minus corrupted, paired"),
    **interval_columns("share", "recovered over what the noise takes; 1 for the embedding itself"),
    **interval_columns("other", "control: recovered by what another sequence has at the site"),
}


def causal_tracing(checkpoint: Checkpoint, offset: int | None = None, samples: int = 256, seed: int = 0) -> Result:
    """Put noise on one token's embedding, and see which site of the clean run brings the right next token back.

    Of each sequence one next token is followed (`traced` of the task), and places are counted back from the position
    that says it. On the first half of the sequences the token is found, of those before that position, whose corruption
    takes most of the right next token's probability; on the second half, with that token corrupted, one site at one
    place at a time is as it was in the clean run. Two controls: the embedding itself must bring everything back, what
    another sequence has at the same site should bring back nothing.

    Args:
        checkpoint: of a causal model on any task of next tokens.
        offset: place of the token to corrupt, 0 or less; None for the one that takes most of
            those before the position that says the next token.
        samples: at least 8.
        seed: of the batch and the noise.

    Returns:
        tables `tokens` (by place of the corrupted token) and `sites` (layer × site × place).

    Raises:
        InputError: for too few samples, an offset that no sequence has, or a task that is none of next tokens.
    """
    if samples < LEAST:
        raise InputError(f"causal-tracing: samples must be at least {LEAST} (two halves of 4), got {samples}")
    check_offered("causal-tracing", checkpoint.config)
    transformer(checkpoint.config)
    bench = _Bench.of(checkpoint, checkpoint.sample(samples, seed), seed)
    choosing, judging = bench.only(slice(0, samples // 2)), bench.only(slice(samples // 2, None))
    tokens = [_token_row(choosing, each, seed) for each in range(-choosing.reach, 1)]
    if offset is None:
        offset = int(max(tokens[:-1] or tokens, key=lambda row: row["lost"])["offset"])
    judging = judging.having(offset)
    if len(judging) < 2:
        raise InputError(f"causal-tracing: offset must be a place that sequences have, 0 or less, got {offset}")
    facts = {"offset": offset, "chosen_on": len(choosing), "noise": bench.scale, "task": checkpoint.config.task.kind}
    tables = {"tokens": Table.of(TOKEN_COLUMNS, tokens), "sites": Table.of(SITE_COLUMNS, _sites(judging, offset, seed))}
    settings = {"samples": samples, "seed": seed}
    return Result("causal-tracing", "What a next token hangs on, and through which sites", settings, facts, tables)


@dataclass(frozen=True)
class _Bench:
    """Sequences with the next token that is followed, and the noise that each of them gets.

    Attributes:
        tokens: (n, pos).
        position, target: where the next token is said, and which it is, (n,).
        noise: (n, d_model).
        scale: standard deviation of the noise.
    """

    model: Any
    tokens: Int[Tensor, "n pos"]
    position: Int[Tensor, " n"]
    target: Int[Tensor, " n"]
    noise: Float[Tensor, "n d_model"]
    scale: float

    @classmethod
    def of(cls, checkpoint: Checkpoint, batch: Any, seed: int) -> _Bench:
        """A batch, with noise drawn from the seed."""
        model = checkpoint.model
        scale = NOISE * float(model.W_E.detach().std())
        noise = torch.randn(len(batch), model.cfg.d_model, generator=torch.Generator().manual_seed(seed)) * scale
        position, target = checkpoint.task.traced(batch)
        return cls(model, batch.inputs, position, target, noise.to(batch.inputs.device), scale)

    def __len__(self) -> int:
        return len(self.tokens)

    def only(self, which: Any) -> _Bench:
        """Some of the sequences."""
        fields = {name: getattr(self, name)[which] for name in ("tokens", "position", "target", "noise")}
        return replace(self, **fields)

    def having(self, offset: int) -> _Bench:
        """The sequences that have a place."""
        at = self.position + offset
        return self.only((at >= 0) & (at <= self.position))

    @property
    def reach(self) -> int:
        """How far back to look: as far as two sequences go."""
        return min(WINDOW - 1, int(self.position.sort().values[-2]))

    @torch.no_grad()
    def probability(self, *changes: Intervention) -> Floats:
        """Of the right next token, (n,)."""
        if changes:
            with intervene(self.model, *changes):
                logits = self.model.complete(self.tokens)
        else:
            logits = self.model.complete(self.tokens)
        each = torch.arange(len(self), device=logits.device)
        found = logits[each, self.position].double().softmax(-1)[each, self.target]
        return np.asarray(found.cpu().numpy())

    @torch.no_grad()
    def clean(self, names: list[str]) -> Mapping[str, Tensor]:
        """Activations of the clean run, by hook point."""
        _, cache = self.model.run_with_cache(self.tokens, names_filter=names, return_cache_object=False)
        return dict(cache)

    def corrupted(self, offset: int) -> Intervention:
        """Noise on the embedding of the token at a place."""
        return Intervention({"hook_embed": self._at(offset, lambda own: own + self.noise)})

    def given(self, hook: str, offset: int, values: Float[Tensor, "n d_model"]) -> Intervention:
        """Other values of an activation at a place."""
        return Intervention({hook: self._at(offset, lambda own: values)})

    def at(self, activation: Float[Tensor, "n pos d_model"], offset: int) -> Float[Tensor, "n d_model"]:
        """An activation at a place."""
        return activation[torch.arange(len(self), device=activation.device), self.position + offset]

    def _at(self, offset: int, change: Any) -> Edit:
        def edit(activation: Tensor) -> Tensor:
            changed = activation.clone()
            each = torch.arange(len(self), device=activation.device)
            changed[each, self.position + offset] = change(activation[each, self.position + offset])
            return changed

        return edit


def _token_row(bench: _Bench, offset: int, seed: int) -> dict[str, Any]:
    """What noise on the token at a place takes."""
    bench = bench.having(offset)
    clean, corrupted = bench.probability(), bench.probability(bench.corrupted(offset))
    values = {"clean": clean, "corrupted": corrupted, "lost": clean - corrupted}
    estimates = {
        name: value for key, each in values.items() for name, value in mean_estimate(each).columns(key).items()
    }
    return {"offset": offset, "n": len(bench), "seed": seed, **estimates}


def _sites(bench: _Bench, corrupted: int, seed: int) -> list[dict[str, Any]]:
    """Every site at every place from the corrupted token to where the next one is said; the control first."""
    model, noise = bench.model, bench.corrupted(corrupted)
    layers = range(model.cfg.n_layers)
    hooks = {(layer, site): f"blocks.{layer}.{hook}" for layer in layers for site, hook in SITES.items()}
    clean = bench.clean(["hook_embed", *hooks.values()])
    # Blocks without an MLP have its hook point all the same, which never fires.
    hooks = {key: hook for key, hook in hooks.items() if hook in clean}
    before = bench.probability(noise)
    lost = bench.probability() - before
    keys = [((-1, EMBEDDING), "hook_embed", corrupted)]
    keys += [(key, hook, offset) for key, hook in hooks.items() for offset in range(corrupted, 1)]
    rows = []
    for (layer, site), hook, offset in keys:
        own = bench.at(clean[hook], offset)
        # After the noise, so that the embedding itself can be put back.
        recovered, other = (
            bench.probability(noise, bench.given(hook, offset, values)) - before for values in (own, own.roll(1, 0))
        )
        estimates = {
            "restored": mean_estimate(recovered + before),
            "recovered": mean_estimate(recovered),
            "share": ratio_estimate(recovered, lost),
            "other": mean_estimate(other),
        }
        numbers = {name: value for key, each in estimates.items() for name, value in each.columns(key).items()}
        rows.append({"layer": layer, "site": site, "offset": offset, "n": len(bench), "seed": seed, **numbers})
    return rows
