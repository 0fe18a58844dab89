"""Token and positional embeddings over training: norms, principal components, clusters, progress to their last form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.passes.embedding_columns import POSITION_COLUMNS, TOKEN_COLUMNS
from mcinterp.analysis.passes.geometry import grouping, linear_cka, rank_correlation
from mcinterp.analysis.passes.near_loss import near_loss
from mcinterp.analysis.passes.onset import LEAD_COLUMNS, Curve, lead_rows, plateau_step
from mcinterp.analysis.passes.token_structure import token_structure
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

SHUFFLES = 2000
PICTURES = 6
"""So many checkpoints are drawn; the tables have all."""


def embeddings(run: Run, steps: Sequence[int] | None = None, samples: int = 4096, seed: int = 0) -> Result:
    """Follow the embeddings over training, and say when each takes its last form.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all. The last is what the others are compared with.
        samples: that decide which tokens occur.
        seed: of these, of shuffled labels and of t-SNE.

    Returns:
        tables `tokens`, `positions` and `lead`; arrays `values` and `counts` (token), `drawn` (picture), `norms` and
        `token_pictures` (picture, token[, 2]: coordinates on the last checkpoint's components), `position_pictures`
        (picture, position, 2: t-SNE). Source: Fig. 7, 9 and 10 of arXiv 2410.22244; the numbers are this package's.
    """
    if samples < 2:
        raise InputError(f"embeddings: samples must be at least 2, got {samples}")
    check_offered("embeddings", run.config)
    steps = run.steps if steps is None else sorted(steps)
    final = run.checkpoint(steps[-1])
    frame = _Frame.of(final, samples, seed)
    untrained = Checkpoint.untrained(run.config, seed + 1, run.device)
    token_controls = frame.token_controls(untrained)
    position_control = linear_cka(_positions(untrained), frame.final_positions)
    token_rows, position_rows, norms, pictures, layouts = [], [], [], [], []
    start = plateau_step(run, steps)
    drawn = drawn_steps(steps, [start, *_drop(run)])
    for step in steps:
        checkpoint = run.checkpoint(step)
        tokens, positions = frame.tokens(checkpoint), _positions(checkpoint)
        token_rows.append({"step": step, **frame.token_row(tokens), **token_controls})
        position_rows += frame.position_rows(step, positions, position_control)
        if step in drawn:
            norms.append(np.linalg.norm(tokens, axis=1))
            pictures.append(frame.projected(tokens))
            layouts.append(_layout(positions, frame.layout, seed))
    loss, source = near_loss(run, steps, seed)
    tables = {
        "tokens": Table.of(TOKEN_COLUMNS, token_rows),
        "positions": Table.of(POSITION_COLUMNS, position_rows),
        "lead": Table.of(LEAD_COLUMNS, _leads(loss, steps, start, token_rows, position_rows)),
    }
    axes = {
        "values": ["token"],
        "counts": ["token"],
        "drawn": ["picture"],
        "norms": ["picture", "token"],
        "token_pictures": ["picture", "token", "component"],
        "position_pictures": ["picture", "position", "coordinate"],
    }
    facts = {"plateau_step": start, "loss_source": source, "position_labels": frame.labels, "axes": axes}
    arrays = {
        "values": frame.values,
        "counts": frame.counts,
        "drawn": np.array(drawn),
        "norms": np.stack(norms),
        "token_pictures": np.stack(pictures),
        "position_pictures": np.stack(layouts),
    }
    settings = {"steps": steps, "samples": samples, "seed": seed}
    return Result("embeddings", "Embeddings over training", settings, facts, tables, arrays)


@dataclass(frozen=True)
class _Frame:
    """What every checkpoint is compared with: the last one's tokens, components and positions.

    Attributes:
        ids: tokens that are looked at; `values` and `counts` (occurrences in the samples) beside them.
        mean, components: of the last checkpoint's token embeddings: (d_model,), (2, d_model).
        layout: t-SNE of the last checkpoint's positions, (position, 2).
        labels: name → label of every position.
    """

    ids: np.ndarray
    values: Floats
    counts: np.ndarray
    mean: Floats
    components: Floats
    final_tokens: Floats
    final_positions: Floats
    layout: Floats
    labels: Mapping[str, list[int]]
    seed: int

    @classmethod
    def of(cls, final: Checkpoint, samples: int, seed: int) -> _Frame:
        ids, values, counts = final.task.followed_tokens(final.sample(samples, seed))
        tokens, positions = _token_rows(final, ids), _positions(final)
        components = principal_components(tokens)
        along = rank_correlation((tokens - tokens.mean(0)) @ components[0], values)
        if along < 0:
            components[0] *= -1
        labels = {name: list(groups) for name, groups in final.task.position_groups().items()}
        layout = _layout(positions, None, seed)
        return cls(ids, values, counts, tokens.mean(0), components, tokens, positions, layout, labels, seed)

    def tokens(self, checkpoint: Checkpoint) -> Floats:
        """Embeddings of the tokens that occur, (token, d_model)."""
        return _token_rows(checkpoint, self.ids)

    def projected(self, tokens: Floats) -> Floats:
        """Coordinates on the last checkpoint's components, about the tokens' own mean: (token, 2)."""
        return np.asarray((tokens - tokens.mean(0)) @ self.components.T)

    def token_row(self, tokens: Floats) -> dict[str, Any]:
        coordinates = self.projected(tokens)
        centred = tokens - tokens.mean(0)
        total = (centred**2).sum()
        own = centred @ principal_components(tokens).T
        size = np.abs(self.values)
        return {
            "n": len(self.ids),
            "seed": self.seed,
            "norm_rank": rank_correlation(np.linalg.norm(tokens, axis=1), size),
            "component_rank": rank_correlation(coordinates[:, 0], self.values),
            "second_rank": rank_correlation(coordinates[:, 1], size),
            **asdict(token_structure(tokens, self.values, coordinates)),
            "explained": float((coordinates**2).sum() / total),
            "own_explained": float((own**2).sum() / total),
            "alignment": linear_cka(tokens, self.final_tokens),
        }

    def token_controls(self, untrained: Checkpoint) -> dict[str, float]:
        tokens = self.tokens(untrained)
        plane = (tokens - tokens.mean(0)) @ principal_components(tokens).T
        structure = asdict(token_structure(tokens, self.values, plane))
        return {
            "untrained_rank": abs(rank_correlation(plane[:, 0], self.values)),
            **{f"untrained_{name}": value for name, value in structure.items()},
            "untrained_alignment": linear_cka(tokens, self.final_tokens),
        }

    def position_rows(self, step: int, positions: Floats, control: float) -> list[dict[str, Any]]:
        alignment = linear_cka(positions, self.final_positions)
        return [
            {
                "step": step,
                "labels": name,
                "n": len(positions),
                "seed": self.seed,
                **asdict(grouping(positions, labels, SHUFFLES, self.seed)),
                "alignment": alignment,
                "untrained_alignment": control,
            }
            for name, labels in self.labels.items()
        ]


def principal_components(points: Floats) -> Floats:
    """The first two principal components of points (n, d): (2, d), sign as scikit-learn fixes it; 0 for none."""
    from sklearn.decomposition import PCA

    components = np.zeros((2, points.shape[1]))
    if len(points) > 1:
        n = min(2, *points.shape)
        components[:n] = PCA(n, svd_solver="full").fit(points).components_
    return components


def drawn_steps(steps: Sequence[int], marks: Sequence[float]) -> list[int]:
    """At most `PICTURES` steps worth a picture: the first, the last, those nearest `marks`, then evenly spread ones."""
    nearest = [min(steps, key=lambda step: abs(step - mark)) for mark in marks]
    spread = [steps[round(at)] for at in np.linspace(0, len(steps) - 1, PICTURES)]
    return sorted(list(dict.fromkeys([steps[0], steps[-1], *nearest, *spread]))[:PICTURES])


def _drop(run: Run) -> list[float]:
    return [at for drop in run.transitions for at in (drop.start, drop.steepest, drop.end)]


def _token_rows(checkpoint: Checkpoint, ids: np.ndarray) -> Floats:
    return _weight(checkpoint, "embed.W_E")[torch.as_tensor(ids)].double().numpy()


def _positions(checkpoint: Checkpoint) -> Floats:
    return _weight(checkpoint, "pos_embed.W_pos").double().numpy()


def _weight(checkpoint: Checkpoint, name: str) -> torch.Tensor:
    """A weight of the embeddings, which stand apart in an encoder and by themselves in a causal transformer."""
    return next(weight for own, weight in checkpoint.weights.items() if own in (name, f"embed.{name}"))


def _layout(positions: Floats, like: Floats | None, seed: int) -> Floats:
    """t-SNE to two dimensions, made of this checkpoint alone and then turned or reflected to lie as `like` does."""
    from scipy.linalg import orthogonal_procrustes
    from sklearn.manifold import TSNE

    if len(positions) < 4:
        return np.full((len(positions), 2), np.nan)
    if positions.shape[1] == 1:  # points on a line also lie in a plane, in which t-SNE begins
        positions = np.pad(positions, ((0, 0), (0, 1)))
    perplexity = min(30.0, (len(positions) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed % 2**32)
    picture = tsne.fit_transform(positions).astype(np.float64)
    picture -= picture.mean(0)
    return picture if like is None else np.asarray(picture @ orthogonal_procrustes(picture, like)[0])


def _leads(
    loss: Curve,
    steps: Sequence[int],
    start: int,
    token_rows: Sequence[Mapping[str, Any]],
    position_rows: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """When each number takes its last value, against the loss near each checkpoint."""
    groups = list(dict.fromkeys(row["labels"] for row in position_rows))
    measures = {
        "token alignment": _exact(token_rows, "alignment"),
        "token norm with |value|": _exact(token_rows, "norm_rank"),
        "token component with value": _exact(token_rows, "component_rank"),
        "position alignment": _exact(position_rows[:: len(groups)], "alignment"),
        **{
            f"positions by {name}": _ranged(position_rows[at :: len(groups)], "excess")
            for at, name in enumerate(groups)
        },
    }
    return lead_rows(steps, start, loss, measures)


def _exact(rows: Sequence[Mapping[str, Any]], column: str) -> Curve:
    values = np.array([row[column] for row in rows])
    return Curve(values, values, values)


def _ranged(rows: Sequence[Mapping[str, Any]], column: str) -> Curve:
    return Curve(*(np.array([row[column + end] for row in rows]) for end in ("", "_low", "_high")))
