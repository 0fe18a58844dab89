"""What moves during the plateau: collapse of the hidden states, progress of the attention, spread of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.passes.onset import LEAD_COLUMNS, Curve, lead_rows, plateau_step
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import SampleScores, main_score
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.interventions import uniform_attention
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

CHUNK = 64
"""Samples of one forward pass; patterns of more at once would take much memory of a large model."""


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `measures`, for a task."""
    answers = "".join(f"{name}: {kind.meaning}; " for name, kind in task.answer_measure_kinds.items())
    return {
        "step": "checkpoint",
        "measure": "collapse: mean cosine between the hidden states of two positions of a sample, 1 when all positions "
        "are the same; attention progress: 1 − total variation between a head's attention and that at the last step, 1 "
        f"at the last step; {answers}loss: {task.sample_score_kinds[main_score(task)].meaning}",
        "where": "layer or head; the mean over heads for 'all heads'; answers for the rest",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns("value", f"the measure, over {task.sample_names[1]}"),
        "untrained": "control: the same of an untrained model with another seed",
        "floor": "control: for attention progress, that of attention uniform over the positions that a query may see",
    }


def plateau_measures(run: Run, steps: Sequence[int] | None = None, samples: int = 128, seed: int = 0) -> Result:
    """Follow what might move while the loss stands still, on the same samples at every checkpoint.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all. The last one's attention is what the others progress to.
        samples: at least 2.
        seed: of the batch and of the untrained control (seed + 1).

    Returns:
        tables `measures` (by step, layer and head) and `lead` (which measure moves before the loss). Source: the
        measures follow arXiv 2506.13688; the definitions above are this package's.
    """
    if samples < 2:
        raise InputError(f"plateau_measures: samples must be at least 2, got {samples}")
    check_offered("plateau", run.config)
    steps = run.steps if steps is None else sorted(steps)
    final = run.checkpoint(steps[-1])
    batch = final.sample(samples, seed)
    bench = _Bench(final.task, batch, _patterns(final.model, batch.inputs))
    control = bench.measured(Checkpoint.untrained(run.config, seed + 1, run.device))
    floor = bench.progress(_uniform(final.model, bench.final))
    found = {step: bench.measured(run.checkpoint(step)) for step in steps}
    rows = [
        {
            "step": step,
            "measure": measure,
            "where": where,
            "n": samples,
            "seed": seed,
            **estimate.columns("value"),
            "untrained": float(control[measure, where].value),
            "floor": float(floor[where].value) if measure == "attention progress" else np.nan,
        }
        for step in steps
        for (measure, where), estimate in found[step].items()
    ]
    start = plateau_step(run, steps)
    curves = {key: _curve([found[step][key] for step in steps]) for key in found[steps[-1]]}
    followed = {_name(*key): curve for key, curve in curves.items() if _is_followed(*key)}
    leads = lead_rows(steps, start, curves["loss", "answers"], followed)
    return Result(
        "plateau",
        "What moves during the plateau",
        {"steps": steps, "samples": samples, "seed": seed},
        {
            "plateau_step": start,
            "measures": list(followed),
            "answer_measures": {
                name: [kind.words, kind.unit] for name, kind in final.task.answer_measure_kinds.items()
            },
        },
        {"measures": Table.of(columns(final.task), rows), "lead": Table.of(LEAD_COLUMNS, leads)},
    )


Measured = dict[tuple[str, str], Estimate]
"""(measure, where) → its estimate."""


@dataclass(frozen=True)
class _Bench:
    """One batch, and the attention of the last step on it.

    Attributes:
        final: (batch, layer, head, query, key).
    """

    task: Any
    batch: Any
    final: Tensor

    def measured(self, checkpoint: Checkpoint) -> Measured:
        """Every measure of a checkpoint."""
        collapse, distance, outputs = [], [], []
        for chunk, final in zip(torch.split(self.batch.inputs, CHUNK), torch.split(self.final, CHUNK), strict=True):
            hidden, patterns, output = _activations(checkpoint.model, chunk)
            collapse.append(np.stack([mean_cosine(states) for states in hidden], axis=1))
            distance.append(total_variation(patterns, final))
            outputs.append(output)
        layers = mean_estimate(np.concatenate(collapse))
        names = ["embedding", *(f"block {layer}" for layer in range(layers.value.size - 1))]
        found: Measured = {("collapse", name): _element(layers, at) for at, name in enumerate(names)}
        found |= {("attention progress", where): est for where, est in _progress(np.concatenate(distance)).items()}
        return found | self._answers(torch.cat(outputs))

    def progress(self, patterns: Tensor) -> dict[str, Estimate]:
        """Attention progress of given patterns: by head, and over all heads."""
        return _progress(total_variation(patterns, self.final))

    def _answers(self, answers: Tensor) -> Measured:
        measures = self.task.answer_measures(answers, self.batch)
        found = {(name, "answers"): pooled_estimate(*one) for name, one in measures.items()}
        loss = SampleScores.told(self.task, answers, self.batch).mean(main_score(self.task))
        return {**found, ("loss", "answers"): loss}


def mean_cosine(states: Tensor) -> Floats:
    """Mean cosine between the hidden states of two different positions: (batch, pos, d_model) to (batch,)."""
    n_pos = states.shape[1]
    if n_pos < 2:
        return np.full(len(states), np.nan)
    unit = states.double() / states.double().norm(dim=-1, keepdim=True).clamp_min(1e-12)
    cosines = unit @ unit.transpose(1, 2)
    between = cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)
    return np.asarray((between / (n_pos * (n_pos - 1))).cpu().numpy())


def total_variation(patterns: Tensor, others: Tensor) -> Floats:
    """Half the L1 distance of two attention patterns, averaged over queries: (batch, …, query, key) to (batch, …)."""
    return np.asarray((patterns - others).abs().sum(-1).mean(-1).double().cpu().numpy() / 2)


def _progress(distance: Floats) -> dict[str, Estimate]:
    """1 − distance (batch, layer, head), by head and over all heads."""
    heads = mean_estimate(1 - distance)
    _, n_layers, n_heads = distance.shape
    named = {
        str(Head(layer, head)): _element(heads, (layer, head)) for layer in range(n_layers) for head in range(n_heads)
    }
    return {**named, "all heads": mean_estimate(1 - distance.mean((1, 2)))}


@torch.no_grad()
def _activations(model: Any, tokens: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Hidden states after the embedding and each block, patterns (batch, layer, head, query, key) and answers."""
    layers = range(model.cfg.n_layers)
    states = ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.{_after_block(model)}" for layer in layers)]
    patterns = [f"blocks.{layer}.attn.hook_pattern" for layer in layers]
    wanted = {*states, *patterns}
    output, cache = model.run_with_cache(tokens, names_filter=lambda name: name in wanted, return_cache_object=False)
    return [cache[name] for name in states], torch.stack([cache[name] for name in patterns], 1), model.read(output)


def _after_block(model: Any) -> str:
    """The hook at the residual stream after a block: of an encoder, after its last LayerNorm."""
    normalised = "hook_normalized_resid_post"
    return normalised if f"blocks.0.{normalised}" in model.hook_dict else "hook_resid_post"


def _uniform(model: Any, patterns: Tensor) -> Tensor:
    """Patterns of the same shape that spread over all keys that a query may see."""
    causal = model.cfg.attention_dir == "causal"
    return uniform_attention(patterns.shape[-1], causal).to(patterns).expand_as(patterns)


def _patterns(model: Any, inputs: Tensor) -> Tensor:
    return torch.cat([_activations(model, chunk)[1] for chunk in torch.split(inputs, CHUNK)])


def _element(estimate: Estimate, at: int | tuple[int, ...]) -> Estimate:
    return Estimate(*(np.asarray(part[at]) for part in vars(estimate).values()))


def _curve(estimates: Sequence[Estimate]) -> Curve:
    return Curve(*(np.array([float(getattr(one, part)) for one in estimates]) for part in ("value", "low", "high")))


def _is_followed(measure: str, where: str) -> bool:
    """Every layer's collapse, the mean over heads of the attention's progress, and both measures of the answers."""
    return measure != "loss" and (measure != "attention progress" or where == "all heads")


def _name(measure: str, where: str) -> str:
    return measure if where in ("answers", "all heads") else f"{measure}, {where}"
