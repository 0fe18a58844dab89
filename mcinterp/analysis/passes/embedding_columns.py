"""What the tables of embeddings over training say."""

from __future__ import annotations

from mcinterp.analysis.passes.geometry import SILHOUETTES
from mcinterp.analysis.passes.token_structure import STRUCTURE
from mcinterp.analysis.statistics import interval_columns

TOKEN_COLUMNS = {
    "step": "checkpoint",
    "n": "tokens that occur in the samples and are followed; others are never trained",
    "seed": "seed of the samples and of the untrained control",
    "norm_rank": "rank correlation (Spearman) of the embedding's ℓ2 norm with |value| (every followed token is in, "
    "nothing is sampled: no interval, as in the following)",
    "component_rank": "rank correlation of the value with the embedding's coordinate on the last checkpoint's first "
    "principal component (sign chosen so that the last checkpoint's is positive)",
    "second_rank": "rank correlation of |value| with the coordinate on the second component",
    **STRUCTURE,
    "explained": "share of the embeddings' variance that lies in the last checkpoint's two principal components",
    "own_explained": "share that lies in the checkpoint's own two principal components",
    "alignment": "unbiased linear CKA with the last checkpoint's token embeddings, 1 at the last (nothing is sampled)",
    "untrained_rank": "control: component_rank of an untrained model's embeddings on its own first component, unsigned",
    **{f"untrained_{name}": f"control: {name} of an untrained model, on its own components" for name in STRUCTURE},
    "untrained_alignment": "control: alignment of an untrained model's embeddings with the last checkpoint's",
}
POSITION_COLUMNS = {
    "step": "checkpoint",
    "labels": "what the positions are grouped by",
    "n": "positions",
    "seed": "seed of the shuffled labels",
    "silhouette": "mean silhouette of the positional embeddings under the labels, −1 to 1 (no interval: all are in)",
    "silhouette_shuffled": "control: the same under shuffled labels, mean",
    "silhouette_top": "… 97.5 % quantile",
    "explained": "share of the embeddings' variance between the labels' groups (η²), 0 to 1",
    "explained_shuffled": "control: the same under shuffled labels, mean",
    "explained_top": "… 97.5 % quantile",
    **interval_columns("excess", "explained − explained_shuffled: 0 in the mean where positions are not grouped"),
    "detectable": "the smallest excess that would be told from 0 in four of five cases",
    "p_value": "permutation test of explained, not corrected for the number of steps",
    "shuffles": f"how many times the labels were shuffled; the first {SILHOUETTES} give the silhouette's control",
    "alignment": "unbiased linear CKA with the last checkpoint's positional embeddings, 1 at the last",
    "untrained_alignment": "control: that of an untrained model with another seed",
}
