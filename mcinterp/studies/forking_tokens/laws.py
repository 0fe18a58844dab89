"""Exact laws of outcomes along texts of the trained model, and the graph's own beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.forking import changes
from mcinterp.analysis.forks import quoted
from mcinterp.analysis.outcome_tree import OutcomeTree, outcome_tree
from mcinterp.analysis.skewed_t import Floats
from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.forking_tokens.texts import Texts

LAWS = "laws"
PATHS = 5
"""Texts a beginning, drawn by the model."""

START_COLUMNS = {
    "start": "number of the beginning",
    "begins": "its tokens, in quotation marks",
    "prefixes": "that were followed",
    "left_out": "probability of what was not: too improbable, or not over at the limit",
    "other": "probability of no outcome, what was not followed among it",
    "truth_apart": "total variation between the model's law at the beginning and the graph's",
}
TOKEN_COLUMNS = {
    "text": "number of the text",
    "start": "its beginning",
    "position": "tokens after the beginning and before this one",
    "token": "its name",
    "kind": "node, random word, following word, …",
    "entropy": "of the next token before it, nats",
    "branches": "tokens with a probability above 0.05 there, this one among them",
    "change": "total variation between the laws of the outcome before and after it",
    "truth_change": "the same of the graph's laws",
    "truth_apart": "total variation between the model's law before it and the graph's",
}
EXACT_COLUMNS = {
    "n": "beginnings",
    "texts": "of the model",
    "seed": "of the texts",
    "prune": "less probable prefixes were not followed",
    **interval_columns("left_out", "probability of what was not followed; mean over beginnings"),
    "most_left_out": "the largest of any beginning",
    **interval_columns("other", "probability of no outcome, what was not followed among it; mean over beginnings"),
    **interval_columns("truth_apart", "total variation between the model's law and the graph's; mean over beginnings"),
}


def laws(texts: Texts, paths: int, seed: int) -> Result:
    """Enumerate what the model writes after every beginning, and follow texts of its own.

    Args:
        texts: beginnings, outcomes and truth.
        paths: texts that are drawn after each.
        seed: of these.

    Returns:
        tables `starts`, `tokens`, `exact`; arrays of the laws, which `series.all_texts` reads.
    """
    generator = np.random.default_rng([seed, 0])
    starts, tokens, arrays = list[dict[str, Any]](), list[dict[str, Any]](), _Arrays()
    for number, start in enumerate(texts.starts):
        tree = outcome_tree(texts.model, start, texts.outcome, len(texts.outcomes), texts.limit, texts.prune)
        starts.append(_start_row(texts, number, start, tree))
        for _ in range(paths):
            tokens += _text_rows(texts, arrays, number, start, tree, tree.drawn(generator))
    about = {"n": len(starts), "texts": len(starts) * paths, "seed": seed, "prune": texts.prune}
    tables = {
        "starts": Table.of(START_COLUMNS, starts),
        "tokens": Table.of(TOKEN_COLUMNS, tokens),
        "exact": Table.of(EXACT_COLUMNS, [about | _over_starts(starts)]),
    }
    names = sorted({int(token) for part in arrays.parts["branch_token"] for token in part})
    facts = {"outcomes": [*texts.outcomes, "other"], "axes": AXES}
    facts["kinds"] = sorted({row["kind"] for row in tokens})
    facts["tokens"] = {str(token): texts.model.spell([token]) for token in names}
    return Result(LAWS, "Exact laws of the outcome", {"paths": paths, "seed": seed}, facts, tables, arrays.packed())


AXES = {
    "law": ["row of tokens", "outcome"],
    "last": ["text", "outcome"],
    "branch_token": ["branch"],
    "branch_row": ["branch"],
    "branch_weight": ["branch"],
    "branch_base": ["branch"],
    "branch_law": ["branch", "outcome"],
}


class _Arrays:
    """Laws of all tokens and of their branches, gathered text by text."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Any]] = {name: [] for name in AXES}
        self.n_rows = 0

    def add(self, **parts: Any) -> None:
        """Add to each."""
        for name, part in parts.items():
            self.parts[name].append(part)

    def packed(self) -> dict[str, np.ndarray]:
        """Each as one array."""
        return {name: np.concatenate(parts) for name, parts in self.parts.items()}


def _start_row(texts: Texts, number: int, start: Sequence[int], tree: OutcomeTree) -> dict[str, Any]:
    truth = texts.truth(start)
    return {
        "start": number,
        "begins": quoted(texts.model.spell(start)),
        "prefixes": tree.n_prefixes,
        "left_out": tree.left_out,
        "other": float(tree.law[-1]),
        "truth_apart": float(changes(np.array([truth, tree.law]))[0]),
    }


def _text_rows(
    texts: Texts, arrays: _Arrays, number: int, start: Sequence[int], tree: OutcomeTree, tokens: list[int]
) -> list[dict[str, Any]]:
    """A text's rows of the table of tokens; its laws go to the arrays."""
    positions, last = tree.positions(tokens), tree.law_after(tokens)
    law = np.array([at.law for at in positions])
    truth = np.array([texts.truth([*start, *tokens[:at]]) for at in range(len(tokens) + 1)])
    change, truth_change = changes(np.vstack([law, last])), changes(truth)
    apart = _apart(law, truth[:-1])
    text = len(arrays.parts["last"])
    arrays.add(law=law, last=last[None])
    rows = []
    for place, (token, at) in enumerate(zip(tokens, positions, strict=True)):
        base = np.arange(len(at.weights)) == at.base
        row = np.full(len(at.weights), arrays.n_rows)
        arrays.add(branch_row=row, branch_token=at.followed, branch_base=base)
        arrays.add(branch_weight=at.weights, branch_law=at.laws)
        arrays.n_rows += 1
        rows.append(
            {
                "text": text,
                "start": number,
                "position": place,
                "token": texts.model.spell([token]),
                "kind": texts.kind([*start, *tokens[: place + 1]]),
                "entropy": at.entropy,
                "branches": len(at.weights),
                "change": float(change[place]),
                "truth_change": float(truth_change[place]),
                "truth_apart": float(apart[place]),
            }
        )
    return rows


def _apart(one: Floats, other: Floats) -> Floats:
    return np.asarray(0.5 * np.abs(one - other).sum(-1))


def _over_starts(starts: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = ("left_out", "other", "truth_apart")
    means = [mean_estimate(np.array([row[name] for row in starts])).columns(name) for name in names]
    return {**means[0], "most_left_out": max(row["left_out"] for row in starts), **means[1], **means[2]}
