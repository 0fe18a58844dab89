"""Classes of heads and attention by block, written from their definitions, matrix by matrix and head by head."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from slow_answers import parts
from slow_attention import Pair, Rows, heads_of, name_of, traces
from slow_runs import curve_of, plateau_step, slow_leads
from slow_statistics import Errors, interval, mean, p_value

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run


def scored(pattern: np.ndarray, queries: Iterable[int], target: Callable[[int], set[int]]) -> float:
    """Attention on target keys above what a uniform head gives them, of what it could be; averaged over queries."""
    found, n_pos = [], len(pattern)
    for query in queries:
        keys = sorted(target(query))
        share = len(keys) / n_pos
        if 0 < share < 1:
            found.append((pattern[query, keys].sum() - share) / (1 - share))
    return float(np.mean(found)) if found else 0.0


class Grid:
    """Positions of a matrix, with the observed ones of a mask."""

    def __init__(self, observed: np.ndarray) -> None:
        rows, cols = observed.shape
        self.places = range(rows * cols)
        self.row = [place // cols for place in self.places]
        self.col = [place % cols for place in self.places]
        self.seen = {place for place in self.places if observed.flat[place]}
        alone = {row for row in range(rows) if observed[row].sum() == 1}
        self.in_masked_row = {place for place in self.places if self.row[place] in alone}

    def row_of(self, place: int) -> set[int]:
        return {other for other in self.places if self.row[other] == self.row[place]}

    def col_of(self, place: int) -> set[int]:
        return {other for other in self.places if self.col[other] == self.col[place]}


def slow_families(pattern: np.ndarray, grid: Grid) -> dict[str, float]:
    return {
        "row": scored(pattern, grid.places, lambda q: grid.row_of(q) - {q}),
        "column": scored(pattern, grid.places, lambda q: grid.col_of(q) - {q}),
        "identity": scored(pattern, grid.places, lambda q: {q}),
    }


def concentrated(pattern: np.ndarray, queries: Iterable[int]) -> float:
    """The most attention above uniform that a set of keys has, of what it could be; averaged over queries."""
    n_pos = len(pattern)
    most = [sum(max(cell - 1 / n_pos, 0.0) for cell in pattern[query]) / (1 - 1 / n_pos) for query in queries]
    return float(np.mean(most))


def slow_masked_row_groups(pattern: np.ndarray, grid: Grid) -> dict[str, float]:
    elsewhere = [place for place in grid.places if place not in grid.in_masked_row]
    hitting = sorted(grid.in_masked_row - grid.seen)
    hit = scored(pattern, hitting, lambda q: grid.row_of(q) & grid.seen)
    busy = concentrated(pattern, elsewhere) / concentrated(pattern, hitting)
    copy = scored(pattern, sorted(grid.seen), lambda q: {q})
    pairs = [(q, key) for q in grid.places for key in grid.col_of(q) - {q}]
    on_seen = [pattern[pair] for pair in pairs if pair[1] in grid.seen]
    on_masked = [pattern[pair] for pair in pairs if pair[1] not in grid.seen]
    told_apart = 1 - min(1.0, np.mean(on_masked) / np.mean(on_seen))
    off = scored(pattern, grid.places, lambda q: (grid.col_of(q) - {q}) & grid.seen)
    collecting = scored(pattern, elsewhere, lambda q: grid.in_masked_row & grid.seen)
    return {
        "masked-row": max(hit, 0.0) * (1 - min(busy, 1.0)),
        "observed-copy": max(0.0, min(hit, copy)),
        "mask-ignore": max(0.0, max(off, 0.0) * told_apart, collecting),
    }


FAMILIES = ("row", "column", "identity")
GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
Under = dict[str, list[np.ndarray]]
"""By mask, the patterns of one head, a sample each."""


def slow_scores(patterns: Under, grids: dict[str, Grid]) -> dict[str, list[float]]:
    """Every class's score of one head, a sample each."""
    n, plain = len(patterns["random"]), grids["random"]
    families = [slow_families(pattern, plain) for pattern in patterns["random"]]
    found = {name: [own[name] for own in families] for name in FAMILIES}
    masked_rows = [mask for mask in grids if mask.startswith("masked-rows")]
    rows = [[slow_masked_row_groups(own, grids[mask]) for own in patterns[mask]] for mask in masked_rows]
    found |= {name: [float(np.mean([own[i][name] for own in rows])) for i in range(n)] for name in GROUPS[:3]}
    runs = []
    for mask in (m for m in grids if m.startswith("column-run")):
        column = int(mask.split(":")[1].split("@")[0])
        inside = {place for place in plain.places if plain.col[place] == column}
        outside = [place for place in plain.places if place not in inside]
        runs.append([scored(own, outside, lambda q, inside=inside: inside) for own in patterns[mask]])
    if runs:
        found[GROUPS[3]] = [max(0.0, min(own)) for own in zip(*runs, strict=True)]
    found[GROUPS[4]] = slow_static(np.array(list(patterns.values())).swapaxes(0, 1), plain)
    return found


def slow_static(maps: np.ndarray, grid: Grid) -> list[float]:
    """What each sample adds to the static score, from its maps (sample, mask, query, key), by moving its weight a bit.

    A sample's value is the score, plus by how much the score changes per weight that is moved to the sample.
    """
    n, n_pos = len(maps), maps.shape[-1]
    step = 1e-7

    def distance(sample: int, average: np.ndarray) -> float:
        return float(np.mean([np.abs(own - average).sum() / (2 * n_pos) for own in maps[sample]]))

    def score(weights: np.ndarray) -> float:
        average = np.tensordot(weights, maps.mean(1), 1)
        moving = sum(weight * distance(sample, average) for sample, weight in enumerate(weights))
        return float(np.abs(average - slow_explained(average, grid)).sum() / (2 * n_pos) - moving)

    even = np.full(n, 1 / n)
    average = maps.mean((0, 1))
    found = []
    for sample in range(n):
        moved = (1 - step) * even + step * (np.arange(n) == sample)
        value = score(even) + (score(moved) - score(even)) / step
        without = average - step * (maps[sample].mean(0) - average)
        nearer = (distance(sample, without) - distance(sample, average)) / step / n
        found.append(value - nearer / 2)
    most = max(len(keys) for keys in slow_kinds(0, grid))
    return [value / (1 - 1 / most) for value in found]


def slow_kinds(query: int, grid: Grid) -> list[set[int]]:
    """The query itself, the rest of its row, of its column, and all else."""
    row, col = grid.row_of(query) - {query}, grid.col_of(query) - {query}
    return [{query}, row, col, set(grid.places) - row - col - {query}]


def slow_explained(average: np.ndarray, grid: Grid) -> np.ndarray:
    """The same attention on each kind of keys, evenly spread over them."""
    found = np.zeros_like(average)
    for query in grid.places:
        for keys in slow_kinds(query, grid):
            found[query, sorted(keys)] = average[query, sorted(keys)].mean()
    return found


def slow_lines(pattern: np.ndarray, grid: Grid) -> dict[str, list[float]]:
    """How the queries of each row, then of each column, keep to each family."""
    n_rows, n_cols = max(grid.row) + 1, max(grid.col) + 1
    lines = [[q for q in grid.places if grid.row[q] == row] for row in range(n_rows)]
    lines += [[q for q in grid.places if grid.col[q] == col] for col in range(n_cols)]
    keys = {"row": grid.row_of, "column": grid.col_of, "identity": lambda q: {q}}
    return {name: [scored(pattern, own, keys[name]) for own in lines] for name in FAMILIES}


def slow_taxonomy(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    masks = result.facts["masks"]
    batches = {mask: checkpoint.sample(n, seed, None if mask == "random" else mask) for mask in masks}
    grids = {mask: Grid(batch.observed[0].numpy().reshape(batch.shape)) for mask, batch in batches.items()}

    def of(model: Checkpoint) -> dict[Pair, Under]:
        runs = {mask: traces(model, batch) for mask, batch in batches.items()}
        return {
            pair: {mask: [trace.patterns[pair] for trace in run] for mask, run in runs.items()}
            for pair in heads_of(model)
        }

    plain = grids["random"]
    names = [f"row {row}" for row in dict.fromkeys(plain.row)] + [f"column {col}" for col in dict.fromkeys(plain.col)]
    own, other = of(checkpoint), of(Checkpoint.untrained(checkpoint.config, seed=seed + 1))
    untrained = [slow_scores(patterns, grids) for patterns in other.values()]
    scores: Rows = []
    heads: Rows = []
    for pair, patterns in own.items():
        found = slow_scores(patterns, grids)
        lines = [slow_lines(pattern, plain) for pattern in patterns["random"]]
        row: dict[str, object] = {"head": name_of(pair), "n": n, "seed": seed}
        for kind, classes in {"family": FAMILIES, "group": GROUPS}.items():
            entries = [
                {"head": name_of(pair), "kind": kind, **slow_score(name, found, untrained, lines, names)}
                for name in classes
                if name in found
            ]
            scores += entries
            row |= slow_labels(kind, entries, found)
        heads.append(row)
    return {"heads": heads, "scores": scores, "blocks": slow_blocks(own, other, plain, n, seed)}


def slow_score(
    name: str,
    found: dict[str, list[float]],
    untrained: list[dict[str, list[float]]],
    lines: list[dict[str, list[float]]],
    names: list[str],
) -> dict[str, object]:
    controls = [float(np.mean(other[name])) for other in untrained]
    value, threshold = mean("score", found[name]), max(0.3, *controls)
    least, place, everywhere = np.nan, "", True
    if name in FAMILIES:
        by_line = np.array([own[name] for own in lines])
        least, place = by_line.mean(0).min(), names[int(by_line.mean(0).argmin())]
        p_values = np.apply_along_axis(tested, 0, by_line)
        everywhere = not any((by_line.mean(0) < 0) & (p_values < 0.05 / len(names)))
    return {
        "class": name,
        **value,
        "uniform": 0.0,
        "untrained": float(np.mean(controls)),
        "untrained_max": max(controls),
        "threshold": threshold,
        "least": least,
        "least_place": place,
        "everywhere": everywhere,
        "fits": bool(value["score_low"] > threshold and everywhere),
    }


def slow_labels(kind: str, entries: Rows, found: dict[str, list[float]]) -> dict[str, object]:
    ranked = sorted(entries, key=lambda entry: entry["score"], reverse=True)
    jobs = [entry for entry in ranked if entry["score_low"] > entry["threshold"]]
    fitting = [entry for entry in jobs if entry["fits"]]

    def margin(first: dict, second: dict) -> dict[str, float]:
        return mean(f"{kind}_margin", np.subtract(found[first["class"]], found[second["class"]]))

    best = (fitting or ranked)[0]
    label, second = (best["class"] if fitting else "none"), next(entry for entry in ranked if entry is not best)
    if len(jobs) > 1 and (not fitting or margin(*jobs[:2])[f"{kind}_margin_low"] <= 0):
        label, best, second = "ambiguous", *jobs[:2]
    told = {f"{kind}_margin{end}": np.nan for end in ("", "_low", "_high")}
    return {
        kind: label,
        f"{kind}_runner_up": best["class"] if label == "none" else second["class"],
        **(told if label == "none" else margin(best, second)),
        f"{kind}_all": ", ".join(entry["class"] for entry in jobs) or "none",
        f"{kind}_nearest": best["class"],
        **{f"{kind}_score{end}": best[f"score{end}"] for end in ("", "_low", "_high")},
        f"{kind}_above": best["score"] - best["threshold"],
    }


def slow_blocks(own: dict[Pair, Under], other: dict[Pair, Under], grid: Grid, n: int, seed: int) -> Rows:
    rows: Rows = []
    for name, group in (("row", grid.row), ("column", grid.col)):
        size = max(group) + 1
        members = [[place for place in grid.places if group[place] == at] for at in range(size)]

        untrained = [np.mean([by_block(one, members) for one in under["random"]], axis=0) for under in other.values()]
        above, below = max(2.0, np.max(untrained) * size), min(0.5, np.min(untrained) * size)
        for pair, under in own.items():
            each = np.array([by_block(pattern, members) for pattern in under["random"]])
            said = {}
            for what, bound, sign in (("favoured", above, 1), ("avoided", below, -1)):
                apart = sign * (each - bound / size)
                said[what] = (apart.mean(0) > 0) & (np.apply_along_axis(tested, 0, apart) < 0.05 / size**2)
            rows.append(
                {
                    "head": name_of(pair),
                    "grouping": name,
                    **mean("own", each.diagonal(axis1=1, axis2=2).mean(1)),
                    "own_uniform": 1 / size,
                    "own_untrained_max": max(own.diagonal().mean() for own in untrained),
                    **{what: slow_described(found) for what, found in said.items()},
                    **{f"n_{what}": int(found.sum()) for what, found in said.items()},
                    "favoured_above": above,
                    "avoided_below": below,
                    "n": n,
                    "seed": seed,
                }
            )
    return rows


def tested(values: np.ndarray) -> float:
    """Of the two-sided test that the mean of values (n,) is 0 in truth."""
    return p_value(values.mean(), values - values.mean())


def by_block(pattern: np.ndarray, members: list[list[int]]) -> np.ndarray:
    """Attention of the queries of each group on the keys of each."""
    return np.array([[pattern[np.ix_(q, k)].sum() / len(q) for k in members] for q in members])


def slow_block_arrays(checkpoint: Checkpoint, n: int, seed: int) -> dict[str, np.ndarray]:
    """The arrays of the taxonomy pass."""
    batch = checkpoint.sample(n, seed)
    run, (rows, cols) = traces(checkpoint, batch), batch.shape
    places = np.arange(rows * cols).reshape(rows, cols)
    arrays = {}
    for name, members in (("row", places.tolist()), ("column", places.T.tolist())):
        each = np.array([[by_block(trace.patterns[pair], members) for pair in heads_of(checkpoint)] for trace in run])
        ends = np.apply_along_axis(lambda block: interval(block.mean(), block - block.mean()), 0, each)
        arrays |= {f"{name}_blocks": each.mean(0), f"{name}_blocks_low": ends[0], f"{name}_blocks_high": ends[1]}
    return arrays


def slow_described(blocks: np.ndarray) -> str:
    keys_of = {query: [key for key in range(len(blocks)) if blocks[query, key]] for query in range(len(blocks))}
    said = []
    for keys in [own for at, own in keys_of.items() if own and own not in list(keys_of.values())[:at]]:
        queries = [query for query, own in keys_of.items() if own == keys]
        said.append(f"{', '.join(map(str, queries))} → {', '.join(map(str, keys))}")
    return " · ".join(said) or "none"


def slow_formation(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    last, steps = run.checkpoint("last"), run.steps
    asked = Result("taxonomy", "", {}, {"masks": list(last.task.head_classes().conditions)})
    heads = slow_taxonomy(last, asked, n, seed + 1)
    members = [(row["head"], row[kind]) for row in heads["heads"] for kind in ("family", "group")]
    chosen = {(row["head"], row["class"]): row["score"] for row in heads["scores"]}
    best = {
        max((pair for pair in members if pair[1] == name), key=chosen.__getitem__)
        for _, name in members
        if name in (*FAMILIES, *GROUPS)
    }
    scores: Rows = []
    classes: Rows = []
    for step in steps:
        found = slow_taxonomy(run.checkpoint(step), asked, n, seed)
        classes += _called(step, found["heads"], n, seed)
        for row in found["scores"]:
            pair = (row["head"], row["class"])
            kept = {key: row[key] for key in ("kind", "class", "head", "score", "score_low", "score_high", "threshold")}
            about = {"member": pair in members, "followed": pair in best, "n": n, "seed": seed}
            scores.append({"step": step, **kept, **about})
    order = {name: at for at, name in enumerate((*FAMILIES, *GROUPS))}
    scores.sort(key=lambda row: (steps.index(row["step"]), order[row["class"]], row["head"]))
    losses = [{"step": step, "n": n, "seed": seed, **_slow_loss(run.checkpoint(step), n, seed)} for step in steps]
    curves = {"loss": curve_of(losses, "loss")}
    for head, name in sorted(best, key=lambda pair: order[pair[1]]):
        curves[f"{name} ({head})"] = curve_of(
            [row for row in scores if (row["head"], row["class"]) == (head, name)], "score"
        )
    return {
        "scores": scores,
        "classes": classes,
        "loss": losses,
        "lead": slow_leads(steps, plateau_step(run, steps), curves),
    }


def _called(step: int, heads: Rows, n: int, seed: int) -> Rows:
    """How many heads are called what."""
    rows: Rows = []
    for kind, names in (("family", FAMILIES), ("group", GROUPS)):
        for name in (*names, "ambiguous", "none"):
            which = [row["head"] for row in heads if row[kind] == name]
            about = {"step": step, "kind": kind, "class": name, "n": n, "seed": seed}
            counted = {"count": len(which), "share": len(which) / len(heads), "heads": ", ".join(which) or "none"}
            rows.append({**about, **counted})
    return rows


def _slow_loss(checkpoint: Checkpoint, n: int, seed: int) -> dict[str, float]:
    batch = checkpoint.sample(n, seed)
    targets, where = parts(batch)
    answers = np.array([trace.output for trace in traces(checkpoint, batch)])
    return Errors.of(answers, targets, where["masked"]).columns("loss")
