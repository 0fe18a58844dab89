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
_ARRAYS = ("maps", "lows", "highs")
FEWEST, BYTES = 8, 2**27
"""Samples that go through together, at least, as far as a layer's patterns of them fit these bytes: what is kept of
cells is joined with every part."""


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
    # Half of what the pass takes where there are many positions, so each map is put where it is kept.
    maps = {name: np.empty((len(chosen), shape.n_layers, shape.n_heads, n_pos, n_pos), np.float32) for name in _ARRAYS}
    key_mass, rows = [], []
    beside: dict[str, list[Floats]] = {}
    for at, (family, own) in enumerate(chosen.items()):
        batch = checkpoint.sample(samples, seed, **task.attention_choice(own))
        keys = task.attended_keys(batch).float()
        layers = _attention(blocks, batch.inputs, keys)
        for name, shown in task.shown_beside(batch).items():
            beside.setdefault(name, []).append(shown)
        key_mass.append(float((uniform @ keys.mean(0).cpu()).mean()))
        about = {"n": samples, "seed": seed}
        for number, layer in enumerate(layers):
            layer.put({name: each[at, number] for name, each in maps.items()})
            rows += layer.rows(family, number, uniform, about, task.key_name)
        del layer, layers  # before the next family's are made
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
        {**maps, **{name: np.stack(shown) for name, shown in beside.items()}},
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
class _Map:
    """What is kept of the cells of one head's map while the batch goes by.

    Attributes:
        cells: of every cell.
        first_half: the maps of the first half of the batch, summed.
    """

    cells: RunningMean = field(default_factory=RunningMean)
    first_half: Floats = field(default_factory=lambda: np.zeros(()))

    def add(self, patterns: Tensor, n_first: int) -> None:
        """Take in patterns (n, query, key), of which `n_first` belong to the first half."""
        each = _double(patterns)
        self.cells.add(each)
        self.first_half = self.first_half + each[:n_first].sum(0)

    def distances(self, uniform: Floats, n: int) -> dict[str, float]:
        """How far the map of `n` samples is from uniform attention, and its two halves from each other."""
        second = (self.cells.mean * n - self.first_half) / (n - n // 2)
        return {
            "distance_from_uniform": _total_variation(self.cells.mean, uniform),
            "split_half_distance": _total_variation(self.first_half / (n // 2), second),
        }


@dataclass
class _Layer:
    """What is kept of the attention of a layer's heads while the batch goes by.

    Attributes:
        maps: of every head.
        entropy: for each part of the batch, (n, head).
        self_mass: the same.
        key_mass: the same.
    """

    maps: list[_Map]
    entropy: list[Floats] = field(default_factory=list)
    self_mass: list[Floats] = field(default_factory=list)
    key_mass: list[Floats] = field(default_factory=list)

    def add(self, patterns: Tensor, keys: Tensor, n_first: int) -> None:
        """Take in patterns (n, head, query, key) with chosen keys (n, key); `n_first` belong to the first half."""
        # One head after the other: what is in float64 then fits a processor's cache, or nearly.
        for head, own in enumerate(self.maps):
            own.add(patterns[:, head], n_first)
        self.entropy.append(np.stack([_entropy(patterns[:, head]) for head in range(len(self.maps))], 1))
        self.self_mass.append(_double(patterns.diagonal(dim1=-2, dim2=-1).mean(-1)))
        self.key_mass.append(_double((patterns.mean(2) @ keys[:, :, None])[..., 0]))

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the maps and the ends of their intervals into arrays (head, query, key), by name."""
        for head, own in enumerate(self.maps):
            for array, values in zip(arrays.values(), (own.cells.mean, *own.cells.interval()), strict=True):
                # What an interval holds beyond 0 and 1 is no probability.
                array[head] = np.clip(values, 0.0, 1.0)

    def rows(
        self, family: str, layer: int, uniform: Tensor, about: dict[str, int], key_name: str
    ) -> list[dict[str, Any]]:
        """A row of the table for each head."""
        measured = {"entropy": self.entropy, "self_mass": self.self_mass, key_name: self.key_mass}
        measures = {name: mean_estimate(np.concatenate(parts)) for name, parts in measured.items()}
        alike = _double(uniform)
        return [
            {
                "mask": family,
                "head": str(Head(layer, head)),
                **about,
                **{key: value for name, each in measures.items() for key, value in each.columns(name, head).items()},
                **own.distances(alike, about["n"]),
            }
            for head, own in enumerate(self.maps)
        ]


def _attention(blocks: Blocks, inputs: Tensor, keys: Tensor) -> list[_Layer]:
    """Every layer's attention, part by part of the batch."""
    layers = [_Layer([_Map() for _ in range(block.n_heads)]) for block in blocks.blocks]
    half = len(inputs) // 2
    for samples in _parts(blocks, *inputs.shape):
        n_first = min(max(half - samples.start, 0), samples.stop - samples.start)
        for layer, patterns in zip(layers, blocks.patterns(inputs[samples]), strict=True):
            layer.add(patterns, keys[samples], n_first)
    return layers


def _parts(blocks: Blocks, n: int, n_pos: int) -> list[slice]:
    """Which of n samples go through together."""
    cells = blocks.blocks[0].n_heads * n_pos**2
    # A layer's patterns in float64, and their distances from the mean.
    size = max(blocks.at_once(kept=4 * cells // n_pos), min(FEWEST, BYTES // (4 * cells)))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _entropy(patterns: Tensor) -> Floats:
    """Of patterns (n, query, key), averaged over queries, nats."""
    return _double(torch.special.entr(patterns).sum(-1).mean(-1))


def _double(values: Tensor) -> Floats:
    return values.double().cpu().numpy()


def _total_variation(p: Floats, q: Floats) -> float:
    """Half the L1 distance of two maps (query, key), averaged over queries."""
    return float(np.abs(p - q).sum(-1).mean() / 2)
