"""Forks by the exact laws: how many, where, and whether the graph has them, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.forking import largest_changes
from mcinterp.analysis.statistics import interval_columns, share_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.forking_tokens.callers import ENTROPY, areas_under_curve, entropy_calls
from mcinterp.studies.forking_tokens.series import Text, all_texts, over_starts, share_of

FORKS = "forks"
EFFECTS = (0.1, 0.2, 0.3)
"""A token that changes the law by more, in total variation, is a fork."""
MAIN = 0.2
PLACES = (0.0, 0.25, 0.5, 0.75)
"""Shares of a text's length at which its likeliest outcome is held to its end's."""

FORK_COLUMNS = {
    "effect": "a fork changes the law by more than this, in total variation",
    "n": "tokens, ends left out",
    "starts": "beginnings, over which the intervals are",
    "forks": "tokens that are forks",
    **interval_columns("share", "forks over tokens"),
    **interval_columns(
        "precision", "share of the model's forks at which the graph's law changes by at least half as much"
    ),
    **interval_columns(
        "recall", "share of the graph's forks at which the model's law changes by at least half as much"
    ),
}
CHANGE_COLUMNS = {
    "n": "texts of the model",
    "starts": "beginnings, over which the intervals are",
    **interval_columns("top_fifth", "part of all change that the fifth of each text's tokens with most makes"),
    **interval_columns("words", "part of all change that tokens other than nodes make"),
}
KIND_COLUMNS = {
    "kind": "of token",
    "tokens": "of texts",
    "n": "of them that stand after different prefixes",
    "forks": "of these that are forks, by a change above 0.2",
    **interval_columns("fork_share", "forks over n (exact binomial interval)"),
    "largest": "change of any",
    **interval_columns("change", "mean change, over all texts"),
    **interval_columns("entropy", "mean entropy of the next token there, nats"),
}
HALF_COLUMNS = {
    "place": "share of a text's length; 1 is right after its last node or step",
    "n": "texts of the model",
    **interval_columns("differs", "share whose likeliest outcome there is not that of their end"),
}
ENTROPY_COLUMNS = {
    "n": "tokens, ends left out",
    "calls": f"tokens with an entropy above {ENTROPY:g} nats",
    **interval_columns("precision", "share of these that are forks"),
    **interval_columns("recall", "share of the forks that are among them"),
    "auc": "probability that a fork has more entropy than another token",
    "auc_nodes": "the same among nodes alone",
}


def forks(result: Result) -> Result:
    """What the exact laws say, from the stored result of `laws`."""
    texts = all_texts(result)
    tables = {
        "forks": Table.of(FORK_COLUMNS, [_fork_row(texts, effect) for effect in EFFECTS]),
        "change": Table.of(CHANGE_COLUMNS, [_change_row(texts)]),
        "kinds": Table.of(KIND_COLUMNS, _kind_rows(result, texts)),
        "halfway": Table.of(HALF_COLUMNS, [_half_row(texts, place) for place in (*PLACES, 1.0)]),
        "entropy": Table.of(ENTROPY_COLUMNS, [_entropy_row(texts)]),
    }
    return Result(FORKS, "Forking tokens, exactly", {"effect": MAIN}, {"effect": MAIN}, tables)


def is_fork(text: Text, effect: float = MAIN) -> np.ndarray:
    """Of every token but the last, the end."""
    return text.change[:-1] > effect


def _fork_row(texts: Sequence[Text], effect: float) -> dict[str, Any]:
    own = [is_fork(text, effect) for text in texts]
    truth = [text.truth_change[:-1] > effect for text in texts]
    # A change of 0.19 in one and of 0.21 in the other is no disagreement.
    near = [text.truth_change[:-1] > effect / 2 for text in texts]
    own_near = [is_fork(text, effect / 2) for text in texts]
    every = [np.ones(len(text) - 1, dtype=bool) for text in texts]
    return {
        "effect": effect,
        "n": sum(map(len, own)),
        "starts": len({text.start for text in texts}),
        "forks": int(sum(one.sum() for one in own)),
        **share_of(own, every, texts).columns("share"),
        **share_of(near, own, texts).columns("precision"),
        **share_of(own_near, truth, texts).columns("recall"),
    }


def _change_row(texts: Sequence[Text]) -> dict[str, Any]:
    starts = [text.start for text in texts]
    top = [largest_changes(text.change[:-1]) for text in texts]
    words = [float(text.change[_words(text)].sum()) for text in texts]
    total = [float(text.change[:-1].sum()) for text in texts]
    return {
        "n": len(texts),
        "starts": len(set(starts)),
        **over_starts(top, total, starts).columns("top_fifth"),
        **over_starts(words, total, starts).columns("words"),
    }


def _words(text: Text) -> np.ndarray:
    """Which tokens are neither nodes nor the end."""
    return np.array([kind.endswith("word") for kind in text.kinds])


def _kind_rows(result: Result, texts: Sequence[Text]) -> list[dict[str, Any]]:
    frame = result.table("tokens")
    # Texts of one tree that begin alike share tokens and laws, which count once.
    prefixes = frame.groupby("text")["token"].transform(lambda tokens: (tokens + " ").cumsum())
    distinct = frame[~(frame["start"].astype(str) + " " + prefixes).duplicated()]
    rows = []
    for kind, of_kind in distinct.groupby("kind", sort=False):
        n, found = len(of_kind), int((of_kind["change"] > MAIN).sum())
        those = [np.array([own == kind for own in text.kinds]) for text in texts]
        means = {
            name: over_starts(
                [float(getattr(text, name)[of].sum()) for text, of in zip(texts, those, strict=True)],
                [float(of.sum()) for of in those],
                [text.start for text in texts],
            )
            for name in ("change", "entropy")
        }
        rows.append(
            {
                "kind": kind,
                "tokens": int((frame["kind"] == kind).sum()),
                "n": n,
                "forks": found,
                **share_estimate(found, n).columns("fork_share"),
                "largest": float(of_kind["change"].max()),
                **means["change"].columns("change"),
                **means["entropy"].columns("entropy"),
            }
        )
    return rows


def _half_row(texts: Sequence[Text], place: float) -> dict[str, Any]:
    differs = [np.array([_differs(text, place)]) for text in texts]
    found = share_of(differs, [np.ones(1, dtype=bool)] * len(texts), texts)
    return {"place": place, "n": len(texts), **found.columns("differs")}


def _differs(text: Text, place: float) -> bool:
    """Whether the likeliest outcome at a place is not the end's; at 1 that is before the token that ends the text."""
    at = round(place * (len(text) - 1))
    return bool(text.laws[at].argmax() != text.last.argmax())


def _entropy_row(texts: Sequence[Text]) -> dict[str, Any]:
    calls, own = [entropy_calls(text) for text in texts], [is_fork(text) for text in texts]
    entropy, positive = np.concatenate([text.entropy[:-1] for text in texts]), np.concatenate(own)
    nodes = np.array([not kind.endswith("word") for text in texts for kind in text.kinds[:-1]])
    return {
        "n": len(entropy),
        "calls": int(sum(one.sum() for one in calls)),
        **share_of(own, calls, texts).columns("precision"),
        **share_of(calls, own, texts).columns("recall"),
        "auc": areas_under_curve(entropy, positive),
        "auc_nodes": areas_under_curve(entropy[nodes], positive[nodes]),
    }
