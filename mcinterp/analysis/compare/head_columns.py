"""What the tables of two models' heads say."""

from __future__ import annotations

from mcinterp.analysis.statistics import interval_columns

NONE = "none"
SCORE = "correlation of the two heads' attention less uniform attention, over samples, queries and keys"
MATCH_COLUMNS = {
    "head_a": "A's head",
    "head_b": "B's head that is paired with it",
    "class_a": "class of each kind that A's head has in the head taxonomy; empty where it is not defined",
    "class_b": "the same of B's head",
    "classes_agree": "yes: the same class of each kind; no; none: neither head has a class",
    **interval_columns("score", SCORE),
    **interval_columns("map", "the same of the two averages over samples: what is alike whatever the input"),
    **interval_columns(
        "response",
        "the same of what is left when each head's average is taken off: whether both follow the input in the same "
        "way; empty for a head whose attention does not depend on it",
    ),
    **interval_columns(
        "effect",
        "correlation, about 0, of what the answers change by when each of the two attends uniformly, over samples and "
        "answers; empty for a head that changes nothing",
    ),
    "other_matrices": "control: score when B is given other samples than A",
    "response_other_matrices": "control: response when B is given other samples than A",
    "effect_other_matrices": "control: effect when B is given other samples than A",
    "untrained": "control: score of A's head and the head of an untrained model that it is paired with",
    "above_untrained": "whether the interval of the score lies above every pair of A and an untrained model",
    "stable": "whether the other half of the samples pairs the two as well",
    "same_layer": "whether both are in the same layer",
    "same_index": "whether both have the same layer and number",
    "n": "samples that the pair is scored on; as many others decided who is paired with whom",
    "seed": "seed of the samples",
}
CHANGED_COLUMNS = {
    "head": "of a run, at two of its steps",
    "class_a": "class of each kind that it has at A's step in the head taxonomy; empty where that is not defined",
    "class_b": "the same at B's step",
    **interval_columns("score", f"of the head at the two steps; {SCORE}"),
    "map": "the same of the averages over samples",
    "response": "the same of what depends on the input",
    **interval_columns("effect", "correlation of what the answers change by without it, at the two steps"),
    **interval_columns("resampled", "control: score of the head at A's step with itself on other samples"),
    "changed": "whether the interval of the score lies below the control's: more than other samples change it",
    "n": "samples",
    "seed": "seed of the samples",
}
CONTROL_COLUMNS = {
    "what": "which models' heads are paired: those that are compared, and controls",
    "pairs": "of heads",
    **interval_columns("score", f"mean over pairs; {SCORE}"),
    "lowest": "the lowest score of a pair",
    "highest": "the highest",
    **interval_columns("map", "mean over pairs; the same of the averages over samples"),
    **interval_columns("response", "mean over pairs; the same of what depends on the input"),
    **interval_columns("effect", "mean over pairs; correlation of what the answers change by without either head"),
    "found": "heads that are paired with themselves, where the two models are one; a count, without an interval",
    "n": "samples that pairs are scored on",
    "seed": "seed of the samples",
}
SIMILARITY_COLUMNS = {
    "head_a": "A's head",
    "head_b": "B's head",
    **interval_columns("score", SCORE),
    "map": "the same of the averages over samples",
    "response": "the same of what depends on the input",
    "paired": "whether the two are paired",
    "n": "samples",
    "seed": "seed of the samples",
}
COMPARED, SHUFFLED, UNTRAINED = "A and B", "A and itself, heads shuffled", "A and an untrained model"


def given_other(samples: str) -> str:
    """The control in which B is given other samples than A, whatever these are called."""
    return f"A and B given other {samples}"
