"""Attention maps: softmax probabilities of every head, averaged over samples, on families of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.conditions import families, families_given
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats, RunningMean, interval_columns, mean_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.model.interventions import uniform_attention
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

_MAP_AXES = ["mask", "layer", "head", "query", "key"]


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `heads`, for a task."""
    return {
        "mask": "family of inputs of the batch, of which the first is plain random ones",
        "head": "layer and head, from 0",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns("entropy", "entropy of the attention of a query, averaged over queries, nats"),
        **interval_columns("self_mass", "attention of a query on its own position"),
        **interval_columns(task.key_name, task.key_meaning),
        "distance_from_uniform": "total variation between the averaged map and uniform attention (to the keys that a "
        "query may see), 0 to 1",
        "split_half_distance": "control: the same between the maps of two halves of the batch, near 0",
    }


def attention_maps(
    checkpoint: Checkpoint, masks: Any = None, samples: int = 512, seed: int = 0, **inputs: Any
) -> Result:
    """Average every head's attention over `samples` inputs of each family.

    The same samples are used in every family, as far as the task can.

    Args:
        checkpoint: what to look at.
        masks: families of inputs, one or several, by the names that the task has for them, or as it takes those of
            one's own; None for the task's own choice.
        samples: of each family, at least 2.
        seed: of the batch.
        inputs: families to look at after the first of the task's own choice, by the name that the task has for such an
            argument, such as `family`.

    Returns:
        table `heads`; arrays `maps` (mask, layer, head, query, key) with `lows` and `highs`, the ends of each cell's
        95 % interval, and what the task shows beside a family; facts with the name of every position, and what uniform
        attention would have. Source: Fig. 4 and 5 of arXiv 2410.22244.
    """
    if samples < 2:
        raise InputError(f"attention_maps: samples must be at least 2, got {samples}")
    check_offered("attention", checkpoint.config)
    task, shape = checkpoint.task, transformer(checkpoint.config)
    blocks, n_pos = Blocks(checkpoint.model), checkpoint.model.n_positions
    chosen = _chosen(task, masks, inputs)
    uniform = uniform_attention(n_pos, blocks.causal)
    maps: dict[str, list[list[Floats]]] = {"maps": [], "lows": [], "highs": []}
    key_mass, rows = [], []
    beside: dict[str, list[Floats]] = {}
    for family, own in chosen.items():
        batch = checkpoint.sample(samples, seed, **task.attention_choice(own))
        keys = task.attended_keys(batch).float()
        layers = _attention(blocks, batch.inputs, keys)
        cells = [layer.cells.estimate() for layer in layers]
        for name, part in (("maps", "value"), ("lows", "low"), ("highs", "high")):
            # What an interval holds beyond 0 and 1 is no probability.
            maps[name].append([np.clip(getattr(layer, part), 0.0, 1.0) for layer in cells])
        for name, shown in task.shown_beside(batch).items():
            beside.setdefault(name, []).append(shown)
        key_mass.append(float((uniform @ keys.mean(0).cpu()).mean()))
        about = {"n": samples, "seed": seed}
        for number, layer in enumerate(layers):
            rows += layer.rows(family, number, uniform, about, task.key_name)
    return Result(
        "attention",
        "Attention maps",
        {"masks": list(chosen), "samples": samples, "seed": seed},
        {
            "task": checkpoint.config.task.kind,
            "masks": list(chosen),
            "family_words": asdict(task.family_words),
            **task.position_facts(),
            "position_groups": _groups(task),
            "positions": task.position_labels(),
            "uniform_entropy": float(torch.special.entr(uniform).sum(-1).mean()),
            f"uniform_{task.key_name}": key_mass,
            "key_name": task.key_name,
            "key_words": task.key_words,
            "key_meaning": task.key_meaning,
            "n_layers": shape.n_layers,
            "n_heads": shape.n_heads,
            "axes": dict.fromkeys(maps, _MAP_AXES) | {name: ["mask", *axes] for name, axes in task.shown_axes.items()},
        },
        {"heads": Table.of(columns(task), rows)},
        {
            **{name: np.array(each, dtype=np.float32) for name, each in maps.items()},
            **{name: np.stack(shown) for name, shown in beside.items()},
        },
    )


def _chosen(task: Any, masks: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Families of inputs by name, each as the task takes it."""
    others = families_given("attention_maps", task, inputs)
    if masks is None and others:
        return families(task, task.inputs_for_attention()[:1]) | others
    return families(task, masks) | others


def _groups(task: Any) -> dict[str, list[int]]:
    """By what positions are grouped, and the group of each; nothing where they are not."""
    if not hasattr(task, "position_groups"):
        return {}
    return {name: list(groups) for name, groups in task.position_groups().items()}


@dataclass
class _Layer:
    """What is kept of the attention of a layer's heads while the batch goes by.

    Attributes:
        cells: of every cell of the maps.
        first_half: the maps of the first half of the batch, summed.
        entropy: for each part of the batch, (n, head).
        self_mass: the same.
        key_mass: the same.
    """

    cells: RunningMean = field(default_factory=RunningMean)
    first_half: Floats = field(default_factory=lambda: np.zeros(()))
    entropy: list[Floats] = field(default_factory=list)
    self_mass: list[Floats] = field(default_factory=list)
    key_mass: list[Floats] = field(default_factory=list)

    def add(self, patterns: Tensor, keys: Tensor, n_first: int) -> None:
        """Take in patterns (n, head, query, key) with chosen keys (n, key); `n_first` belong to the first half."""
        each = patterns.double().cpu().numpy()
        self.cells.add(each)
        self.first_half = self.first_half + each[:n_first].sum(0)
        self.entropy.append(_double(torch.special.entr(patterns).sum(-1).mean(-1)))
        self.self_mass.append(_double(patterns.diagonal(dim1=-2, dim2=-1).mean(-1)))
        self.key_mass.append(_double((patterns.mean(2) @ keys[:, :, None])[..., 0]))

    def rows(
        self, family: str, layer: int, uniform: Tensor, about: dict[str, int], key_name: str
    ) -> list[dict[str, Any]]:
        """A row of the table for each head."""
        average, n = self.cells.estimate().value, about["n"]
        first = self.first_half / (n // 2)
        second = (average * n - self.first_half) / (n - n // 2)
        from_uniform, halves = _total_variation(average, uniform.double().numpy()), _total_variation(first, second)
        measured = {"entropy": self.entropy, "self_mass": self.self_mass, key_name: self.key_mass}
        measures = {name: mean_estimate(np.concatenate(parts)) for name, parts in measured.items()}
        return [
            {
                "mask": family,
                "head": str(Head(layer, head)),
                **about,
                **{key: value for name, each in measures.items() for key, value in each.columns(name, head).items()},
                "distance_from_uniform": float(from_uniform[head]),
                "split_half_distance": float(halves[head]),
            }
            for head in range(len(average))
        ]


def _attention(blocks: Blocks, inputs: Tensor, keys: Tensor) -> list[_Layer]:
    """Every layer's attention, part by part of the batch."""
    layers = [_Layer() for _ in blocks.blocks]
    half = len(inputs) // 2
    n_heads, n_pos = blocks.blocks[0].n_heads, inputs.shape[1]
    # One layer's patterns in float64, and their distances from the mean.
    for samples in blocks.parts(len(inputs), kept=4 * n_heads * n_pos):
        n_first = min(max(half - samples.start, 0), samples.stop - samples.start)
        for layer, patterns in zip(layers, blocks.patterns(inputs[samples]), strict=True):
            layer.add(patterns, keys[samples], n_first)
    return layers


def _double(values: Tensor) -> Floats:
    return values.double().cpu().numpy()


def _total_variation(p: Floats, q: Floats) -> Floats:
    """Half the L1 distance of two maps, averaged over queries: (…, query, key) to (…)."""
    return np.asarray(np.abs(p - q).sum(-1).mean(-1) / 2)
