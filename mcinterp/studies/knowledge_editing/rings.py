"""Whether representations of entities lie on the cyclic orders: Fourier power along them, and Isomap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist

from mcinterp.analysis.passes.geometry import rank_correlation
from mcinterp.analysis.representations import isomap
from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.model.rank_one import edited
from mcinterp.results import Result, Table
from mcinterp.studies.knowledge_editing.answers import Network, answered
from mcinterp.studies.knowledge_editing.editing import Editor, Question, questions
from mcinterp.studies.knowledge_editing.edits import distances

Floats = NDArray[np.float64]
GEOMETRY = "geometry"
NEIGHBOURS = 6
RANDOM_ORDERS = 200
EMBEDDINGS, STREAM = "embeddings", "stream"
BEFORE = "before"
RING_COLUMNS = {
    "network": "own, of another width, or untrained",
    "of": f"{EMBEDDINGS} of the entities, or the {STREAM} after the last block at a relation",
    "relation": "of the stream; empty for embeddings",
    "edit": "places between old and new answer of the edit that was made before; empty without one",
    "order": "along which cyclic order",
    "n": "entities",
    "mode1": "share of the scatter that has one period around the order",
    "flat": "the same of representations that have nothing to do with it",
    "strongest": "periods around the order that most of the scatter has",
    "power": "share of the scatter that has so many",
    **interval_columns("random", f"control: mode1 along {RANDOM_ORDERS} random orders"),
    "isomap": "Spearman's ρ of distances in two dimensions of Isomap and distances around the order",
}
POINT_COLUMNS = {
    "of": f"{EMBEDDINGS} or {STREAM}",
    "edit": "places between old and new answer of the edit that was made before; before for none",
    "order": "along which cyclic order places are counted",
    "place": "of the entity on it",
    "x": "first coordinate of Isomap, turned to the one without an edit",
    "y": "second coordinate",
}


@dataclass(frozen=True)
class Rows:
    """Representations of all entities.

    Attributes:
        about: what of; the first columns of the table.
        points: (entity, d).
    """

    about: Mapping[str, Any]
    points: Floats


def geometry(networks: Mapping[str, Network], untrained: Network, seed: int) -> Result:
    """How far representations lie on the orders, in each network and after edits of one fact to growing distances.

    Args:
        networks: by name, the study's own first.
        untrained: one that has learned nothing.
        seed: of the choice of the fact, and of random orders.

    Returns:
        tables `rings` and `points` (Isomap of the study's own network).
    """
    own = next(iter(networks.values()))
    named = {**networks, "untrained": untrained}
    embedded = [Rows(_about(name, EMBEDDINGS), _embeddings(network)) for name, network in named.items()]
    asked, streams = _streams(own, seed)
    rows = [row for each in embedded for row in _ring_rows(each, named[each.about["network"]], seed)]
    rows += [row for each in streams for row in _ring_rows(each, own, seed)]
    points = [row for each in (embedded[:1], streams) for row in _point_rows(each, own)]
    tables = {"rings": Table.of(RING_COLUMNS, rows), "points": Table.of(POINT_COLUMNS, points)}
    labels = own.task.token_labels()
    facts = {"entity": labels[asked.entity], "relation": streams[0].about["relation"], "neighbours": NEIGHBOURS}
    return Result(GEOMETRY, "Do representations lie on the cycles?", {"seed": seed}, facts, tables)


def powers(points: Floats) -> Floats:
    """Share of the points' scatter that has 1 … ⌊n/2⌋ periods along their order; they add up to 1.

    Args:
        points: (n, d), in order.
    """
    n = len(points)
    power = (np.abs(np.fft.fft(points - points.mean(0), axis=0)) ** 2).sum(1)
    total = power.sum()
    modes = np.arange(1, n // 2 + 1)
    both = power[modes] + np.where(2 * modes == n, 0.0, power[-modes])
    return np.asarray(both / total) if total > 0 else np.full(len(modes), np.nan)


def around(n: int) -> Floats:
    """Distances around a cycle of n, as `pdist` orders pairs."""
    first, second = np.triu_indices(n, 1)
    return np.asarray(np.minimum(second - first, n - (second - first)), dtype=np.float64)


def _about(network: str, of: str, relation: str = "", edit: str = "") -> dict[str, Any]:
    return {"network": network, "of": of, "relation": relation, "edit": edit}


def _embeddings(network: Network) -> Floats:
    return _floats(network.model.W_E[: network.task.config.entities])


def _floats(values: Float[torch.Tensor, "entity d"]) -> Floats:
    return np.asarray(values.detach().double().cpu().numpy())


def _streams(network: Network, seed: int) -> tuple[Question, list[Rows]]:
    """The stream of the first edited fact's relation, before and after edits."""
    before = answered(network)
    chance = torch.Generator().manual_seed(seed)
    asked = next(questions(network, before, 1, right=True, held_out=False, generator=chance))
    editor, relation = Editor.of(network, seed), asked.relation
    label = network.task.token_labels()[int(network.relation_token(torch.tensor(relation)))]
    found = [Rows(_about("own", STREAM, label, BEFORE), _floats(before.stream[:, relation]))]
    for distance in distances(network):
        with edited(network.model, editor.edit(asked, editor.target(asked, distance))):
            stream = answered(network).stream[:, relation]
        found.append(Rows(_about("own", STREAM, label, str(distance)), _floats(stream)))
    return asked, found


def _ring_rows(rows: Rows, network: Network, seed: int) -> Iterator[dict[str, Any]]:
    chance, n = np.random.default_rng(seed), len(rows.points)
    by_chance = np.array([powers(rows.points[chance.permutation(n)])[0] for _ in range(RANDOM_ORDERS)])
    random, picture = mean_estimate(by_chance).columns("random"), _picture(rows.points)
    for order, entities in enumerate(network.task.facts.around.numpy()):
        shares = powers(rows.points[entities])
        yield {
            **rows.about,
            "order": order,
            "n": n,
            "mode1": float(shares[0]),
            "flat": 2 / (n - 1),
            "strongest": int(shares.argmax()) + 1,
            "power": float(shares.max()),
            **random,
            "isomap": rank_correlation(pdist(picture[entities]), around(n)),
        }


def _picture(points: Floats) -> Floats:
    """Two dimensions of Isomap, (n, 2)."""
    return isomap(points, min(NEIGHBOURS, len(points) - 1))


def _point_rows(series: list[Rows], network: Network) -> Iterator[dict[str, Any]]:
    """Pictures of a series, each turned to lie on the first."""
    pictures = [_picture(rows.points) for rows in series]
    first = pictures[0] - pictures[0].mean(0)
    for rows, picture in zip(series, pictures, strict=True):
        centred = picture - picture.mean(0)
        turned = centred @ orthogonal_procrustes(centred, first)[0]
        for order, entities in enumerate(network.task.facts.around.tolist()):
            for place, entity in enumerate(entities):
                about = {"of": rows.about["of"], "edit": rows.about["edit"] or BEFORE, "order": order, "place": place}
                yield {**about, "x": float(turned[entity, 0]), "y": float(turned[entity, 1])}
