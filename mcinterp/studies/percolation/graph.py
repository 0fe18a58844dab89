"""Which entity is said to have which descriptor: the bipartite graph of a run, drawn once, and its components."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.studies.percolation.config import LanguageConfig


def said_pairs(config: LanguageConfig) -> Int[Tensor, "entity degree"]:
    """The descriptors of every entity, numbered over all classes; a set of fixed size, drawn by the run's chain."""
    entities, own = config.classes * config.entities, config.graph == "typed"
    choices = config.descriptors if own else config.classes * config.descriptors
    keys = np.random.default_rng(config.chain).random((entities, choices))
    drawn = keys.argsort(1)[:, : config.degree]
    classes = np.arange(entities)[:, None] // config.entities
    return torch.from_numpy(drawn + classes * config.descriptors * own)


def component_sizes(pairs: Int[Tensor, "entity degree"], descriptors: int) -> Floats:
    """Nodes of every component that has an edge, the largest first.

    Args:
        pairs: descriptors of every entity, numbered over all classes.
        descriptors: how many there are in all.
    """
    entities, degree = pairs.shape
    left = np.repeat(np.arange(entities), degree)
    graph = coo_array((np.ones(len(left)), (left, entities + pairs.numpy().ravel())), (entities + descriptors,) * 2)
    _, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels)
    return np.sort(sizes[sizes > 1])[::-1].astype(np.float64)
