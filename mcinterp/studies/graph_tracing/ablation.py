"""What becomes of predictions and geometry without certain heads, and without the plane of the geometry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.graph_geometry import distance_explained
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.analysis.traced_geometry import over
from mcinterp.analysis.tracing import Trace, neighbour_mass, trace
from mcinterp.model.heads import NO_HEADS, Head, HeadSet
from mcinterp.model.interventions import Intervention, intervene, replaced_z
from mcinterp.results import Result, Table
from mcinterp.studies.graph_tracing.runs import LABELLINGS, Network, labellings
from mcinterp.task.token_heads import token_head_scores

ABLATION = "ablation"
PREVIOUS, INDUCTION = "previous", "induction"
NOTHING = "nothing"
BEST_PREVIOUS, WORST_PREVIOUS = "best previous-token head", "worst head of its layer"
BEST_INDUCTION, WORST_INDUCTION = "best induction head", "worst head of that layer"
LATER_HEADS = "all heads of the last layer"
PLANE, RANDOM = "plane of the geometry", "random planes of the same variance"
FIRST = 1
"""Layer at which the geometry is looked at and its plane removed: states after the first block."""
PLANES, CANDIDATES = 4, 200
"""Random planes, of so many drawn, whose variance is nearest to that of the geometry's plane."""
CLASSES = (PREVIOUS, INDUCTION)
HEAD_COLUMNS = {
    "head": "which",
    "n": "walks",
    **interval_columns(PREVIOUS, "attention to the token before, 0 as of uniform attention and 1 if all"),
    **interval_columns(INDUCTION, "attention to tokens that followed the current one before, likewise"),
}
EFFECT_COLUMNS = {
    "without": "what was taken away",
    "heads": "heads whose outputs became their means over other walks",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("mass", "probability of neighbours in the second half of the context"),
    **interval_columns("mass_fall", "by how much less than with everything"),
    **interval_columns("first_layer", "η² of states after the first block, in the second half"),
    **interval_columns("first_layer_fall", "by how much less than with everything"),
    **interval_columns("last_layer", "η² of states after the last block"),
    **interval_columns("last_layer_fall", "by how much less than with everything"),
}
PLANE_COLUMNS = {
    "without": "what was projected out of states after the first block, at every position",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("variance", "share of the states' variance that was removed, in the second half"),
    **interval_columns("mass", "probability of neighbours in the second half of the context"),
    **interval_columns("mass_fall", "by how much less than with everything"),
    **interval_columns("beyond_random", "by how much more than without random planes"),
}


@dataclass(frozen=True)
class Measured:
    """Numbers of one labelling: probability of neighbours, η² after the first block and after the last."""

    mass: float
    first: float
    last: float

    @classmethod
    def of(cls, found: Trace, network: Network) -> Measured:
        """Of the second half of the context."""
        late = slice(network.length // 2, None)
        layers = [distance_explained(found.layers[layer].means[1], network.graph) for layer in (FIRST, -1)]
        return cls(float(neighbour_mass(found)[:, late].mean()), *layers)


def ablation(network: Network) -> Result:
    """Take heads, and the plane of the geometry, out of a network.

    Returns:
        tables `heads`, `effects`, `planes`.
    """
    deals = labellings(network.graph, LABELLINGS)
    scores = head_scores(network, deals)
    sets = chosen(scores, network)
    means = mean_outputs(network)
    every: dict[str, list[Measured]] = {}
    for name, heads in sets.items():
        removed = (replaced_z(heads, means),) if heads.heads else ()
        every[name] = [measured(network, labels, number, removed) for number, labels in enumerate(deals)]
    rows = [_effect_row(name, sets[name], found, every[NOTHING]) for name, found in every.items()]
    tables = {
        "heads": Table.of(HEAD_COLUMNS, _head_rows(scores, network)),
        "effects": Table.of(EFFECT_COLUMNS, rows),
        "planes": Table.of(PLANE_COLUMNS, _plane_rows(network, deals, every[NOTHING])),
    }
    return Result(ABLATION, "What geometry and predictions are made by", {}, {"layer": FIRST}, tables)


def measured(network: Network, labels: np.ndarray, number: int, removed: Sequence[Intervention] = ()) -> Measured:
    """Follow walks of one labelling with something removed."""
    walks = network.walks(labels, number)
    cells = (np.arange(network.length) >= network.length // 2).astype(np.int64)
    with intervene(network.checkpoint.model, *removed):
        return Measured.of(trace(network.language, walks, cells, effects=False), network)


def head_scores(network: Network, deals: Sequence[np.ndarray]) -> Mapping[str, Floats]:
    """Scores of every class on walks, (walk, layer, head)."""
    tokens = torch.from_numpy(np.concatenate([network.walks(own, 0, 32).tokens for own in deals]))
    model = network.checkpoint.model
    _, cache = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("hook_pattern"))
    layers = [
        token_head_scores(cache[f"blocks.{layer}.attn.hook_pattern"], tokens, CLASSES)
        for layer in range(network.language.n_layers)
    ]
    return {name: np.stack([own[name].double().numpy() for own in layers], 1) for name in CLASSES}


def chosen(scores: Mapping[str, Floats], network: Network) -> dict[str, HeadSet]:
    """Which heads are taken away, by what they are called.

    A head of induction reads what one before it has written, so that it is none of the first layer.
    """
    previous, induction = scores[PREVIOUS].mean(0), scores[INDUCTION].mean(0)
    last = network.language.n_layers - 1
    later = Head(*(int(place) for place in np.unravel_index(induction[1:].argmax(), induction[1:].shape)))
    best = Head(*(int(place) for place in np.unravel_index(previous.argmax(), previous.shape)))
    copying = Head(later.layer + 1, later.head)
    found = {
        BEST_PREVIOUS: [best],
        WORST_PREVIOUS: [Head(best.layer, int(previous[best.layer].argmin()))],
        BEST_INDUCTION: [copying],
        WORST_INDUCTION: [Head(copying.layer, int(induction[copying.layer].argmin()))],
        LATER_HEADS: [Head(last, head) for head in range(induction.shape[1])],
    }
    return {NOTHING: HeadSet(NO_HEADS, ()), **{name: HeadSet.of(name, heads) for name, heads in found.items()}}


def mean_outputs(network: Network) -> dict[int, Tensor]:
    """Every layer's z by position, averaged over walks whose tokens are dealt at random, (1, pos, head, d_head)."""
    generator = np.random.default_rng(1)
    tokens = [network.walks(generator.permutation(network.graph.n), 1000 + at, 8).tokens for at in range(64)]
    model = network.checkpoint.model
    names = {layer: f"blocks.{layer}.attn.hook_z" for layer in range(network.language.n_layers)}
    _, cache = model.run_with_cache(
        torch.from_numpy(np.concatenate(tokens)), names_filter=lambda name: name in names.values()
    )
    return {layer: cache[name].mean(0, keepdim=True) for layer, name in names.items()}


def _head_rows(scores: Mapping[str, Floats], network: Network) -> list[dict[str, Any]]:
    n, n_layers, n_heads = scores[PREVIOUS].shape
    return [
        {"head": str(Head(layer, head)), "n": n}
        | {key: value for name in CLASSES
           for key, value in mean_estimate(scores[name][:, layer, head]).columns(name).items()}
        for layer in range(n_layers)
        for head in range(n_heads)
    ]  # fmt: skip


def _effect_row(name: str, heads: HeadSet, found: Sequence[Measured], whole: Sequence[Measured]) -> dict[str, Any]:
    row: dict[str, Any] = {"without": name, "heads": ", ".join(map(str, heads.heads)), "n": len(found)}
    for column, of in (("mass", "mass"), ("first_layer", "first"), ("last_layer", "last")):
        own, before = (np.array([getattr(each, of) for each in every]) for every in (found, whole))
        row |= {**over(own, column), **over(before - own, f"{column}_fall")}
    return row


def _plane_rows(network: Network, deals: Sequence[np.ndarray], whole: Sequence[Measured]) -> list[dict[str, Any]]:
    """Without the plane of the geometry, and without random ones."""
    found: dict[str, list[tuple[float, float]]] = {PLANE: [], RANDOM: []}
    for number, labels in enumerate(deals):
        states, means = late_states(network, labels, number)
        own, others = planes(states, means, network, number)
        centre = torch.from_numpy(states.mean(0)).float()
        for name, several in ((PLANE, [own]), (RANDOM, others)):
            shares = [removed_share(states, plane) for plane in several]
            masses = [measured(network, labels, number, [without(plane, centre)]).mass for plane in several]
            found[name].append((float(np.mean(shares)), float(np.mean(masses))))
    full = np.array([each.mass for each in whole])
    random = np.array([mass for _, mass in found[RANDOM]])
    rows = []
    for name, each in found.items():
        shares, masses = np.transpose(each)
        columns = {**over(shares, "variance"), **over(masses, "mass"), **over(full - masses, "mass_fall")}
        rows.append({"without": name, "n": len(each), **columns, **over(random - masses, "beyond_random")})
    return rows


def late_states(network: Network, labels: np.ndarray, number: int) -> tuple[Floats, Floats]:
    """States after the first block, late in context, (state, d), and their means by node, (node, d)."""
    walks = network.walks(labels, number, 128)
    states, _ = network.language.states(torch.from_numpy(walks.tokens), walks.labels.tolist())
    half = network.length // 2
    flat, nodes = states[FIRST][:, half:].flatten(0, 1).double().numpy(), walks.nodes[:, half:].ravel()
    return flat, np.stack([flat[nodes == node].mean(0) for node in range(network.graph.n)])


def planes(states: Floats, means: Floats, network: Network, seed: int) -> tuple[Floats, list[Floats]]:
    """The plane that the graph's low modes have in the states, (d, 2), and random ones that hold as much variance.

    Random ones are drawn as states are spread, for a plane in any direction would hold next to nothing.
    """
    modes = network.graph.low_modes.T @ (means - means.mean(0))
    own = np.linalg.qr(modes.T)[0]
    spread = np.linalg.cholesky(np.cov(states.T) + 1e-9 * np.eye(states.shape[1]))
    generator = np.random.default_rng(seed)
    drawn = [np.linalg.qr(spread @ generator.normal(size=own.shape))[0] for _ in range(CANDIDATES)]
    wanted = removed_share(states, own)
    nearest: Callable[[Floats], float] = lambda plane: abs(removed_share(states, plane) - wanted)  # noqa: E731
    return own, sorted(drawn, key=nearest)[:PLANES]


def removed_share(states: Floats, plane: Floats) -> float:
    """Share of the states' variance that lies in a plane."""
    centred = states - states.mean(0)
    return float(((centred @ plane) ** 2).sum() / (centred**2).sum())


def without(plane: Floats, centre: Tensor) -> Intervention:
    """Put the states after the first block at their centre, within a plane."""
    directions = torch.from_numpy(plane).float()
    project = directions @ directions.T

    def edit(states: Tensor) -> Tensor:
        return states - (states - centre) @ project

    return Intervention({f"blocks.{FIRST - 1}.hook_resid_post": edit})
