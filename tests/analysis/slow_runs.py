"""What moves on a plateau, and embeddings over training, written from their definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats
from slow_answers import parts
from slow_attention import Rows, heads_of, name_of, traces
from slow_statistics import Columns, Errors, columns, mean, pooled

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

Curve = list[tuple[float, float, float]]
"""A value with the ends of its interval, a step each."""


def plateau_step(run: Run, steps: Sequence[int]) -> int:
    """The step nearest the middle of the plateau; the first without a drop."""
    found = run.transition
    middle = (found.plateau_start + found.start) / 2 if found.found else -1
    return min(steps, key=lambda step: abs(step - middle))


def crossed(steps: Sequence[int], values: Sequence[float], share: float) -> tuple[float, float]:
    """The last step at which less than `share` of the way to the last value is done, and the next one."""
    way = values[-1] - values[0]
    short = [index for index, value in enumerate(values) if not (value - values[0]) / way >= share]
    return steps[short[-1]], steps[short[-1] + 1]


def slow_leads(steps: Sequence[int], start: int, curves: Mapping[str, Curve]) -> Rows:
    """When every curve leaves its plateau value, and whether before the first of them, which is the loss."""
    at = list(steps).index(start)
    later, rows, onsets = list(steps)[at:], [], {}
    for name, curve in curves.items():
        begin, end = curve[at], curve[-1]
        moved = bool(begin[2] < end[1] or end[2] < begin[1])
        values = [value for value, _, _ in curve[at:]]
        found = [crossed(later, values, share) if moved else (np.nan, np.nan) for share in (0.1, 0.5, 0.9)]
        onsets[name] = found[0] if moved else None
        own, loss = onsets[name], onsets["loss"]
        both = own is not None and loss is not None
        verdict = "the loss" if name == "loss" else "does not move" if own is None else "moves, the loss does not"
        if both and name != "loss":
            verdict = "before" if own[1] <= loss[0] else "after" if loss[1] <= own[0] else "with"
        rows.append(
            {
                "measure": name,
                "first": curve[0][0],
                "plateau": begin[0],
                "last": end[0],
                "moved": moved,
                "onset_after": float(found[0][0]),
                "onset": float(found[0][1]),
                "half": float(found[1][1]),
                "most": float(found[2][1]),
                "lead": float(loss[1] - own[1]) if both else np.nan,
                "lead_margin": float(max(loss[1] - loss[0], own[1] - own[0])) if both else np.nan,
                "verdict": verdict,
            }
        )
    return rows


def curve_of(rows: Rows, name: str, ranged: bool = True) -> Curve:
    ends = ("", "_low", "_high") if ranged else ("", "", "")
    return [tuple(float(row[name + end]) for end in ends) for row in rows]


class Measured:
    """Everything that the plateau comparison measures of one checkpoint: name and place to columns."""

    def __init__(self, checkpoint: Checkpoint, batch: MatrixBatch, final: dict, decimals: int) -> None:
        run = traces(checkpoint, batch)
        targets, where = parts(batch)
        masked, found = where["masked"], {}
        for layer in range(len(run[0].resid)):
            cosines = [self._mean_cosine(trace.resid[layer]) for trace in run]
            found["collapse", f"block {layer - 1}" if layer else "embedding"] = mean("value", cosines)
        each = {}
        for pair in heads_of(checkpoint):
            gaps = [np.abs(a.patterns[pair] - b).sum(1).mean() / 2 for a, b in zip(run, final[pair], strict=True)]
            each[pair] = 1 - np.array(gaps)
            found["attention progress", name_of(pair)] = mean("value", each[pair])
        found["attention progress", "all heads"] = mean("value", np.mean(list(each.values()), axis=0))
        answers = np.array([trace.output for trace in run])
        squares = np.array([(own[w] ** 2).sum() for own, w in zip(targets, masked, strict=True)])

        def spread(weights: np.ndarray) -> float:
            at = masked * weights[:, None]
            centre = (at * answers).sum() / at.sum()
            return float((at * (answers - centre) ** 2).sum() / (weights @ squares))

        found["answer spread", "answers"] = columns("value", spread, squares > 0)
        rounded = np.round(answers, decimals) + 0.0
        values, counts = np.unique(rounded[masked], return_counts=True)
        same = (rounded == values[counts.argmax()]) & masked
        found["repeated answers", "answers"] = pooled("value", same.sum(1), masked.sum(1))
        found["loss", "answers"] = Errors.of(answers, targets, masked).columns("value")
        self.found: dict[tuple[str, str], Columns] = found

    @staticmethod
    def _mean_cosine(states: np.ndarray) -> float:
        pairs = combinations(states, 2)
        return float(np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]))


def slow_plateau(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    steps, final = run.steps, run.checkpoint("last")
    batch, decimals = final.sample(n, seed), final.config.task.decimals
    last = traces(final, batch)
    maps = {pair: [trace.patterns[pair] for trace in last] for pair in heads_of(final)}
    found = {step: Measured(run.checkpoint(step), batch, maps, decimals).found for step in steps}
    untrained = Measured(Checkpoint.untrained(run.config, seed + 1), batch, maps, decimals).found
    n_pos = batch.inputs.shape[1]
    floors = {name_of(pair): 1 - np.abs(np.array(own) - 1 / n_pos).sum(2).mean() / 2 for pair, own in maps.items()}
    floors["all heads"] = float(np.mean(list(floors.values())))
    rows: Rows = [
        {
            "step": step,
            "measure": measure,
            "where": where,
            "n": n,
            "seed": seed,
            **value,
            "untrained": untrained[measure, where]["value"],
            "floor": floors[where] if measure == "attention progress" else np.nan,
        }
        for step in steps
        for (measure, where), value in found[step].items()
    ]
    curves = {"loss": curve_of([found[step]["loss", "answers"] for step in steps], "value")}
    for measure, where in found[steps[0]]:
        if where == "all heads" or where == "answers" or measure == "collapse":
            name = f"{measure}, {where}" if measure == "collapse" else measure
            curves.setdefault(name, curve_of([found[step][measure, where] for step in steps], "value"))
    return {"measures": rows, "lead": slow_leads(steps, plateau_step(run, steps), curves)}


def slow_rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of the ranks."""
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def slow_structure(tokens: np.ndarray, values: np.ndarray, places: np.ndarray) -> dict[str, float]:
    """Symmetry of the norms, signs apart, order and continuity of magnitudes, each from its definition."""
    norms = np.linalg.norm(tokens, axis=1)
    pairs = [(i, j) for i, v in enumerate(values) for j, w in enumerate(values) if v > 0 and abs(v + w) < 1e-9]
    ahead, behind = np.array([norms[i] for i, _ in pairs]), np.array([norms[j] for _, j in pairs])
    both = np.concatenate([ahead, behind])
    agreement = 1 - ((ahead - behind) ** 2).mean() / 2 / both.var()
    negative, positive = places[values < 0], places[values > 0]
    scatter = sum((part - part.mean(0)).T @ (part - part.mean(0)) for part in (negative, positive))
    towards = np.linalg.solve(scatter, positive.mean(0) - negative.mean(0))
    border = (positive.mean(0) + negative.mean(0)) @ towards / 2
    told = ((positive @ towards > border).mean() + (negative @ towards < border).mean()) / 2
    centred = places - places.mean(0)
    along = np.linalg.solve(centred.T @ centred, centred.T @ (np.abs(values) - np.abs(values).mean()))
    jumps = sum(((part[1:] - part[:-1]) ** 2).sum() / (len(part) - 1) for part in (negative, positive))
    spread = sum(part.var(0, ddof=1).sum() for part in (negative, positive))
    return {
        "norm_symmetry": float(agreement),
        "sign_separable": float(told),
        "magnitude_order": slow_rank_correlation(places @ along, np.abs(values)),
        "continuity": float(1 - jumps / spread / 2),
    }


def slow_alignment(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased linear CKA through U-centred Gram matrices (Székely & Rizzo 2014), another form of the same."""

    def centred(points: np.ndarray) -> np.ndarray:
        n = len(points)
        gram = (points - points.mean(0)) @ (points - points.mean(0)).T
        np.fill_diagonal(gram, 0)
        sums, total = gram.sum(0), gram.sum()
        made = gram - sums[:, None] / (n - 2) - sums[None] / (n - 2) + total / ((n - 1) * (n - 2))
        np.fill_diagonal(made, 0)
        return made

    a, b = centred(x), centred(y)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def slow_explained(points: np.ndarray, labels: Sequence[int]) -> float:
    """Between the groups: what is left of the scatter when every point is put in the middle of its group."""
    labels, centred = np.asarray(labels), points - points.mean(0)
    groups = [centred[labels == label] for label in set(labels.tolist())]
    inside = sum(((own - own.mean(0)) ** 2).sum() for own in groups)
    return float(1 - inside / (centred**2).sum())


def slow_grouping(points: np.ndarray, own: np.ndarray, dealt: np.ndarray) -> Columns:
    """The excess over shuffles with its interval: the groups' means with distances from them in shuffled order."""
    centred, null = points - points.mean(0), np.array([slow_explained(points, other) for other in dealt])
    excess = slow_explained(points, own) - null.mean()
    middles = np.stack([centred[own == label].mean(0) for label in own])
    total, share = (centred**2).sum(), max(excess, 0) / (1 - null.mean())
    signal = middles * np.sqrt(share * total / (middles**2).sum())
    rest = (centred - middles) * np.sqrt((1 - share) * total / ((centred - middles) ** 2).sum())
    at = {label: signal[own == label][0] for label in own.tolist()}
    spread = []
    for labels in dealt:
        moved = rest + np.stack([at[label] for label in labels.tolist()])
        means = [(len(moved[labels == label]), moved[labels == label].mean(0)) for label in at]
        spread.append(sum(n * (mean**2).sum() for n, mean in means) / (moved**2).sum())
    spread = np.array(spread) - np.mean(spread)
    return {
        "explained": slow_explained(points, own),
        "explained_shuffled": float(null.mean()),
        "explained_top": float(np.quantile(null, 0.975)),
        "excess": excess,
        "excess_low": excess - float(np.quantile(spread, 0.975)),
        "excess_high": excess - float(np.quantile(spread, 0.025)),
        "detectable": float(np.quantile(null, 0.975) - np.quantile(null, 0.2)),
        "p_value": (1 + sum(null >= slow_explained(points, own) - 1e-12)) / (1 + len(dealt)),
        "shuffles": len(dealt),
    }


def slow_silhouette(points: np.ndarray, labels: Sequence[int]) -> float:
    labels, scores = np.asarray(labels), []
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    for i, own in enumerate(labels):
        inside = distance[i, (labels == own) & (np.arange(len(labels)) != i)].mean()
        outside = min(distance[i, labels == other].mean() for other in set(labels.tolist()) - {own})
        scores.append((outside - inside) / max(inside, outside))
    return float(np.mean(scores))


def slow_embeddings(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    steps, final = run.steps, run.checkpoint("last")
    task = final.config.task
    drawn = final.sample(n, seed).targets.double().numpy().ravel()
    values = np.unique(np.round(drawn[np.abs(drawn) <= 1.5], task.decimals)) + 0.0
    ids = [1 + round((value - task.v_min) * 10**task.decimals) for value in values]

    def tokens_of(checkpoint: Checkpoint) -> np.ndarray:
        return checkpoint.weights["embed.embed.W_E"].double().numpy()[ids]

    def positions_of(checkpoint: Checkpoint) -> np.ndarray:
        return checkpoint.weights["embed.pos_embed.W_pos"].double().numpy()

    def components(points: np.ndarray) -> np.ndarray:
        return np.linalg.svd(points - points.mean(0), full_matrices=False)[2][:2]

    untrained = Checkpoint.untrained(run.config, seed + 1)
    last, own_axis = tokens_of(final), tokens_of(untrained)
    axes = components(last)
    along = slow_rank_correlation((last - last.mean(0)) @ axes[0], values)
    # The second has the sign that scikit-learn gives: its largest weight is positive.
    axes *= np.array([[np.sign(along)], [np.sign(axes[1][np.abs(axes[1]).argmax()])]])
    own_places = (own_axis - own_axis.mean(0)) @ components(own_axis).T
    untrained_structure = slow_structure(own_axis, values, own_places)
    token_rows, position_rows, size, n_pos = [], [], np.abs(values), task.n_positions
    for step in steps:
        checkpoint = run.checkpoint(step)
        tokens, positions = tokens_of(checkpoint), positions_of(checkpoint)
        centred = tokens - tokens.mean(0)
        places = centred @ axes.T
        token_rows.append(
            {
                "step": step,
                "n": len(values),
                "seed": seed,
                "norm_rank": slow_rank_correlation(np.linalg.norm(tokens, axis=1), size),
                "component_rank": slow_rank_correlation(places[:, 0], values),
                "second_rank": slow_rank_correlation(places[:, 1], size),
                **slow_structure(tokens, values, places),
                "explained": (places**2).sum() / (centred**2).sum(),
                "own_explained": (np.linalg.svd(centred)[1][:2] ** 2).sum() / (centred**2).sum(),
                "alignment": slow_alignment(tokens, last),
                "untrained_rank": abs(slow_rank_correlation(own_places[:, 0], values)),
                **{f"untrained_{name}": value for name, value in untrained_structure.items()},
                "untrained_alignment": slow_alignment(own_axis, last),
            }
        )
        for labels, own in (("row", np.arange(n_pos) // task.cols), ("column", np.arange(n_pos) % task.cols)):
            generator = np.random.default_rng(seed)
            dealt = generator.permuted(np.tile(own, (2000, 1)), axis=1)
            silhouettes = [slow_silhouette(positions, other) for other in (own, *dealt[:50])]
            position_rows.append(
                {
                    "step": step,
                    "labels": labels,
                    "n": n_pos,
                    "seed": seed,
                    "silhouette": silhouettes[0],
                    "silhouette_shuffled": float(np.mean(silhouettes[1:])),
                    "silhouette_top": float(np.quantile(silhouettes[1:], 0.975)),
                    **slow_grouping(positions, own, dealt),
                    "alignment": slow_alignment(positions, positions_of(final)),
                    "untrained_alignment": slow_alignment(positions_of(untrained), positions_of(final)),
                }
            )
    curves = {
        "loss": [_near(run, step) for step in steps],
        "token alignment": curve_of(token_rows, "alignment", ranged=False),
        "token norm with |value|": curve_of(token_rows, "norm_rank", ranged=False),
        "token component with value": curve_of(token_rows, "component_rank", ranged=False),
        "position alignment": curve_of(position_rows[::2], "alignment", ranged=False),
        "positions by row": curve_of(position_rows[::2], "excess"),
        "positions by column": curve_of(position_rows[1::2], "excess"),
    }
    leads = slow_leads(steps, plateau_step(run, steps), curves)
    return {"tokens": token_rows, "positions": position_rows, "lead": leads}


def _near(run: Run, step: int) -> tuple[float, float, float]:
    """The training loss at masked entries around a step: a two-hundredth of the training to either side."""
    metrics = run.metrics
    at = int((metrics["step"] < step).sum())
    around = max(1, len(metrics) // 200)
    found = mean("x", metrics["masked_mse"].to_numpy()[max(0, at - around) : at + around + 1])
    return found["x"], found["x_low"], found["x_high"]
