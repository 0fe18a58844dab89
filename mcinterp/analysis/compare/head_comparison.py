"""The heads of two checkpoints: who stands in for whom, how well, and against which controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from mcinterp.analysis.compare.head_changes import change_rows, same_run
from mcinterp.analysis.compare.head_columns import (
    CHANGED_COLUMNS,
    COMPARED,
    CONTROL_COLUMNS,
    MATCH_COLUMNS,
    NONE,
    SHUFFLED,
    SIMILARITY_COLUMNS,
    UNTRAINED,
    given_other,
)
from mcinterp.analysis.compare.head_matching import (
    EFFECT,
    KINDS,
    Pairs,
    Products,
    Similarity,
    best_assignment,
    effect_products,
    effects,
    similarity,
)
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import reorder_heads
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint


@dataclass(frozen=True)
class HeadComparison:
    """What `compare_heads` found, as parts of a result."""

    tables: dict[str, Table]
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Matching:
    """Pairs that are best on the first half of a batch, with how alike they are on the second."""

    pairs: Pairs
    again: Pairs
    scored: Similarity
    effects: Products

    @classmethod
    def of(cls, a: Checkpoint, b: Checkpoint, batch: Any, apart: int = 0) -> _Matching:
        """Match the heads on a batch; with `apart`, B is given the samples so many places before A's."""
        half = len(batch) // 2
        models = Blocks(a.model), Blocks(b.model)
        parts = batch.inputs[:half], batch.inputs[half:]
        first, second = (similarity(*models, part, part.roll(apart, 0)) for part in parts)
        done = effect_products(effects(a.model, parts[1]), effects(b.model, parts[1].roll(apart, 0)))
        return cls(best_assignment(first.scores), best_assignment(second.scores), second, done)

    @property
    def stable(self) -> list[bool]:
        """Whether the second half pairs each of A's heads with the same one."""
        again = dict(zip(*(side.tolist() for side in self.again), strict=True))
        return [again.get(a) == b for a, b in zip(*(side.tolist() for side in self.pairs), strict=True)]

    def values(self, name: str) -> Floats:
        """One of the correlations of every pair."""
        return self.scored.products[name].correlation[self.pairs]


def compare_heads(
    a: Checkpoint, b: Checkpoint, samples: int, seed: int, taxonomies: Sequence[Result | None]
) -> HeadComparison:
    """Pair the heads of two checkpoints that take the same inputs, whatever their index and layer.

    Args:
        a: A, from whose task the samples are drawn.
        b: B.
        samples: half of them to pair heads and half to score the pairs.
        seed: of the samples, and of the order that A's heads are shuffled into.
        taxonomies: of A and of B, if heads have classes.
    """
    batch = a.sample(samples, seed)
    shuffled, orders = _shuffled(a, seed)
    matchings = {
        COMPARED: _Matching.of(a, b, batch),
        SHUFFLED: _Matching.of(a, shuffled, batch),
        UNTRAINED: _Matching.of(a, untrained_like(b), batch),
        given_other(a.task.sample_names[1]): _Matching.of(a, b, batch, apart=1),
    }
    about = {"n": samples - samples // 2, "seed": seed}
    heads, others = (head_names(checkpoint) for checkpoint in (a, b))
    classes = [_classes(taxonomy) for taxonomy in taxonomies]
    rows = _match_rows(list(matchings.values()), heads, others, classes, about)
    found, scored = matchings[COMPARED], matchings[COMPARED].scored
    tables = {
        "matches": Table.of(MATCH_COLUMNS, rows),
        "controls": Table.of(CONTROL_COLUMNS, _control_rows(matchings, orders, about)),
        "similarity": Table.of(SIMILARITY_COLUMNS, _similarity_rows(found, heads, others, about)),
    }
    if same_run(a, b):
        rows = change_rows(scored, found.effects, _resampled(a, batch), heads)
        own = [{**row, **_class_columns(classes, row["head"], row["head"]), **about} for row in rows]
        columns = list(CHANGED_COLUMNS)
        tables["changed"] = Table.of(CHANGED_COLUMNS, [{name: row[name] for name in columns} for row in own])
    facts = {
        "heads_a": heads,
        "heads_b": others,
        "unpaired_a": [name for index, name in enumerate(heads) if index not in found.pairs[0]],
        "unpaired_b": [name for index, name in enumerate(others) if index not in found.pairs[1]],
        "untrained_highest": _plain(np.nanmax(np.append(matchings[UNTRAINED].values("score"), -np.inf))),
        "agreement_by_chance": _chance(classes, heads, others),
        "positions": a.task.position_labels(),
        "axes": {
            "similarity": ["head of A", "head of B"],
            "maps_a": ["head", "query", "key"],
            "maps_b": ["head", "query", "key"],
        },
    }
    arrays: dict[str, np.ndarray] = {
        "similarity": scored.scores,
        "maps_a": scored.map_a.astype(np.float32),
        "maps_b": scored.map_b.astype(np.float32),
    }
    return HeadComparison(tables, facts, arrays)


def _resampled(checkpoint: Checkpoint, batch: Any) -> Similarity:
    """How alike a checkpoint's heads are to themselves where they are given other samples of the second half."""
    inputs = batch.inputs[len(batch) // 2 :]
    return similarity(Blocks(checkpoint.model), Blocks(checkpoint.model), inputs, inputs.roll(1, 0))


def untrained_like(checkpoint: Checkpoint) -> Checkpoint:
    """A fresh model of the same shape, of another seed, on the same device."""
    return Checkpoint.untrained(checkpoint.config, checkpoint.config.training.seed + 1, checkpoint.device)


def head_names(checkpoint: Checkpoint) -> list[str]:
    """Every head, layer by layer."""
    shape = transformer(checkpoint.config)
    return [str(Head(*pair)) for pair in product(range(shape.n_layers), range(shape.n_heads))]


def _shuffled(checkpoint: Checkpoint, seed: int) -> tuple[Checkpoint, list[list[int]]]:
    """The same model with the heads of each layer in another order, and these orders."""
    shape, generator = transformer(checkpoint.config), np.random.default_rng(seed)
    orders = [generator.permutation(shape.n_heads).tolist() for _ in range(shape.n_layers)]
    return replace(checkpoint, weights=reorder_heads(checkpoint.weights, orders)), orders


def _match_rows(
    matchings: Sequence[_Matching],
    heads: Sequence[str],
    others: Sequence[str],
    classes: Sequence[dict[str, str]],
    about: dict[str, int],
) -> list[dict[str, Any]]:
    """A row a pair, in the order of A's heads."""
    found, _, fresh, other = matchings
    untrained = dict(zip(fresh.pairs[0].tolist(), fresh.values("score").tolist(), strict=True))
    threshold = max((score for score in untrained.values() if np.isfinite(score)), default=-np.inf)
    estimates = {name: found.scored.products[name].estimate() for name in KINDS}
    effect = found.effects.estimate()
    rows = []
    for (a, b), stable in zip(_listed(found.pairs), found.stable, strict=True):
        rows.append(
            {
                "head_a": heads[a],
                "head_b": others[b],
                **{column: value for name in KINDS for column, value in estimates[name].columns(name, (a, b)).items()},
                **effect.columns(EFFECT, (a, b)),
                "other_matrices": float(other.scored.scores[a, b]),
                "response_other_matrices": float(other.scored.products["response"].correlation[a, b]),
                "effect_other_matrices": float(other.effects.correlation[a, b]),
                "untrained": untrained.get(a, np.nan),
                "above_untrained": bool(estimates["score"].low[a, b] > threshold),
                "stable": stable,
                "same_layer": Head.parse(heads[a]).layer == Head.parse(others[b]).layer,
                "same_index": heads[a] == others[b],
                **_class_columns(classes, heads[a], others[b]),
                **about,
            }
        )
    return rows


def _control_rows(
    matchings: dict[str, _Matching], orders: Sequence[Sequence[int]], about: dict[str, int]
) -> list[dict[str, Any]]:
    """A row for the two models and one for each control."""
    rows = []
    for what, matching in matchings.items():
        scores = matching.values("score")
        means = {name: matching.scored.products[name].mean_over(matching.pairs) for name in KINDS}
        rows.append(
            {
                "what": what,
                "pairs": len(scores),
                **means["score"].columns("score"),
                "lowest": float(np.nanmin(np.append(scores, np.inf))) if np.isfinite(scores).any() else np.nan,
                "highest": float(np.nanmax(np.append(scores, -np.inf))) if np.isfinite(scores).any() else np.nan,
                **means["map"].columns("map"),
                **means["response"].columns("response"),
                **matching.effects.mean_over(matching.pairs).columns(EFFECT),
                "found": _found(matching.pairs, orders) if what == SHUFFLED else np.nan,
                **about,
            }
        )
    return rows


def _found(pairs: Pairs, orders: Sequence[Sequence[int]]) -> int:
    """How many heads are paired with themselves, in a model whose heads were put into these orders."""
    width = len(orders[0])
    origin = [layer * width + head for layer, order in enumerate(orders) for head in order]
    return sum(origin[b] == a for a, b in _listed(pairs))


def _similarity_rows(
    found: _Matching, heads: Sequence[str], others: Sequence[str], about: dict[str, int]
) -> list[dict[str, Any]]:
    """A row for every head of A and every head of B."""
    products, paired = found.scored.products, set(_listed(found.pairs))
    score = products["score"].estimate()
    maps, responses = (products[name].correlation for name in ("map", "response"))
    return [
        {
            "head_a": head,
            "head_b": other,
            **score.columns("score", (a, b)),
            "map": float(maps[a, b]),
            "response": float(responses[a, b]),
            "paired": (a, b) in paired,
            **about,
        }
        for (a, head), (b, other) in product(enumerate(heads), enumerate(others))
    ]


def _listed(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))


def _classes(taxonomy: Result | None) -> dict[str, str]:
    """Head → its classes, `none` where it has none; nothing where classes are not defined."""
    if taxonomy is None:
        return {}
    kinds = list(taxonomy.facts["kinds"])
    return {
        row["head"]: " · ".join(row[kind] for kind in kinds if row[kind] != NONE) or NONE
        for row in taxonomy.table("heads").to_dict("records")
    }


def _class_columns(classes: Sequence[dict[str, str]], head: str, other: str) -> dict[str, str | None]:
    a, b = classes[0].get(head), classes[1].get(other)
    if a is None or b is None:
        return {"class_a": None, "class_b": None, "classes_agree": None}
    return {"class_a": a, "class_b": b, "classes_agree": NONE if a == b == NONE else "yes" if a == b else "no"}


def _chance(classes: Sequence[dict[str, str]], heads: Sequence[str], others: Sequence[str]) -> float | None:
    """The share of pairs with the same class, among all pairs of heads of which one has a class at least."""
    pairs = [(classes[0].get(a), classes[1].get(b)) for a, b in product(heads, others)]
    known = [(a, b) for a, b in pairs if a is not None and b is not None and not a == b == NONE]
    return sum(a == b for a, b in known) / len(known) if known else None


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
