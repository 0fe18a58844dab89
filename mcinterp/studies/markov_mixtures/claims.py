"""What the paper says of in-context algorithms, and the rules that decide it; then what of their competition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from mcinterp.studies.markov_mixtures.circuits import CIRCUITS
from mcinterp.studies.markov_mixtures.competition_claims import PUBLISHED, competition_claims
from mcinterp.studies.markov_mixtures.implied import IMPLIED
from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, MIXTURES, OTHERS, SINGLE, WITHOUT
from mcinterp.studies.markov_mixtures.networks import FEW, MANY, MIDDLE, TOKENS
from mcinterp.studies.markov_mixtures.oracles import BI_INF, FOUR, NULLS
from mcinterp.studies.markov_mixtures.phases import EARLY, LONG, PHASES
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of
from mcinterp.task.oracle_tokens import LATE

PAPER = "arXiv 2412.01003"
SEEN, MIXED, INSIDE, MATRICES = (f"study/{name}" for name in (PHASES, MIXTURES, CIRCUITS, IMPLIED))
MOST, FEWER = Rule(low=0.5), Rule(high=0.5)
"""More or fewer than half of the networks."""
NONE = Rule(0.0, 0.0)
RETRIEVE = "distance to Bi-Ret minus that to Bi-Inf, on sequences of the training chains"


def markov_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    decide = (are_four, begin_without_context, retrieve_or_infer, unigrams_come_first, fall_at_once, turn_in_context)
    return (*(claim(evidence) for claim in decide), *competition_claims(evidence))


def are_four(e: Evidence) -> Claim:
    """The decomposition."""
    text = "A convex mixture of four algorithms explains what the network predicts."
    left = [_last(e, MIXED, "left", "left", network, base=ALL_FOUR) for network in _networks(e)]
    nulls = [number for network in _networks(e) for number in _against_nulls(e, network)]
    null = Control(
        f"largest share of what the four leave over what mixtures {WITHOUT} and {OTHERS} do, of any network and "
        "checkpoint from the first on at which a bigram algorithm is nearest",
        extreme(nulls, largest=True),
        Rule(high=1 / 3),
    )
    findings = (
        Finding(
            "largest KL(model ‖ mixture) at the last checkpoint, of any network, weights fitted on the other half",
            extreme(left, largest=True),
            Rule(high=0.05),
            MIXED,
            null,
        ),
        Finding(
            "largest share of what the best algorithm alone leaves, of the networks with two weights above 0.2",
            extreme(_against_best(e), largest=True),
            Rule(high=0.75),
            MIXED,
        ),
    )
    return Claim("four algorithms explain behaviour", text, PAPER, findings)


def _against_nulls(e: Evidence, network: str) -> Iterator[Number]:
    """Ratios to what the null bases leave, from the bigram onset on."""
    onset = _onset(e, network, "bigram")
    for base in (WITHOUT, OTHERS):
        rows = e.rows(MIXED, "left", network=network, base=base)
        yield from (number_of(row, "ratio") for _, row in rows.iterrows() if not row["step"] < onset)


def _against_best(e: Evidence) -> list[Number]:
    """Ratios to what the best of the four leaves, where two weights are above 0.2 at the last checkpoint."""
    found = []
    for network in _networks(e):
        weights = [_last(e, MIXED, "weights", "weight", network, family="ID", oracle=name).value for name in FOUR]
        if sorted(weights)[-2] > 0.2:
            found.append(_last(e, MIXED, "left", "ratio", network, base=SINGLE))
    return found


def begin_without_context(e: Evidence) -> Claim:
    """What comes before the four."""
    text = "Before it answers like any of the four, a network answers like an algorithm that looks at no context."
    first = [_nearest_at(e, network, 1) for network in _networks(e)]
    last = [_nearest_at(e, network, -1) for network in _networks(e)]
    null = Control("the same at the last checkpoint", _share(last, NULLS), FEWER)
    finding = Finding(
        "share of networks to which uniform or the prior row is nearest at the first checkpoint, after a 200th of its "
        "steps",
        _share(first, NULLS),
        MOST,
        SEEN,
        null,
    )
    return Claim("without context at first", text, "this package's; the paper compares with four", (finding,))


def retrieve_or_infer(e: Evidence) -> Claim:
    """Data diversity."""
    text = "Networks of few chains retrieve them, networks of many infer from the context."
    untrained = [
        Number.exact(row["untrained"])
        for _, row in e.rows(SEEN, "distances", context=LATE).iterrows()
        if row["oracle"] in FOUR and row["role"] in (FEW, MANY)
    ]
    null = Control(
        "least distance of an untrained network to any of the four", extreme(untrained, largest=False), Rule(low=0.1)
    )
    findings = (
        Finding(f"fewest chains: {RETRIEVE}", _choice(e, FEW, LATE, False), Rule(high=-0.02), SEEN, null),
        Finding(
            f"most chains: {RETRIEVE}, least of the networks", _choice(e, MANY, LATE, False), Rule(low=0.02), SEEN, null
        ),
        Finding(
            "fewest chains: KL(truth ‖ model) on unseen chains over that of Bi-Inf", _ratio(e, FEW), Rule(low=2.5), SEEN
        ),
        Finding("most chains: the same, largest of the networks", _ratio(e, MANY), Rule(high=1.6), SEEN),
        Finding(
            "fewest chains: share of unseen chains that it takes for a training chain rather than for a fresh one, "
            "less the share that are nearer to one",
            _of_role(e, MATRICES, "nearer", "more", FEW, False),
            Rule(low=0.05),
            MATRICES,
            Control(
                "the same of what Bi-Inf predicts there, which knows no training chain",
                _of_role(e, MATRICES, "nearer", "counted", FEW, True),
                Rule(-0.15, 0.15),
            ),
        ),
    )
    reported = (
        "KL on unseen chains near step 840: 0.55 for 16 chains and fewer, 0.49 for 32, 0.15 for 64, 0.10 for 2,048; "
        f"{PUBLISHED}"
    )
    return Claim("retrieval for few chains, inference for many", text, PAPER, findings, reported)


def unigrams_come_first(e: Evidence) -> Claim:
    """The order of phases."""
    text = "Networks use which tokens came before they use which followed which."
    networks = _networks(e)
    middle = [_order(e, network, _onset(e, network, "middle")) for network in networks]
    last = [_order(e, network, _onset(e, network, "last")) for network in networks]
    order = [_onset(e, network, "unigram") < _onset(e, network, "bigram") for network in networks]
    tokens = e.rows(SEEN, "onsets", role=TOKENS)
    null = Control(
        "the same of a network whose tokens are independent",
        _order(e, str(tokens.iloc[0]["network"]), float(tokens.iloc[0]["last"])) if len(tokens) else MISSING,
        Rule(high=0.005),
    )
    findings = (
        Finding(
            "largest KL to the prediction after a shuffle of the context, in the middle of the steps at which a "
            "unigram algorithm is nearest, of any network",
            extreme(middle, largest=True),
            Rule(high=0.02),
            INSIDE,
        ),
        Finding("least of it at the last checkpoint", extreme(last, largest=False), Rule(low=0.1), INSIDE, null),
        Finding(
            "share of networks to which a unigram algorithm is nearest before a bigram one is",
            Number.share(sum(order), len(order)),
            MOST,
            SEEN,
        ),
    )
    reported = (
        "Bi-Inf appears about step 500 with rotary and 2,500 with learned positions; KL on unseen chains 0.13 after "
        f"400 tokens, 0.6 where these are shuffled; {PUBLISHED}"
    )
    return Claim("unigram before bigram", text, PAPER, findings, reported)


def fall_at_once(e: Evidence) -> Claim:
    """The drop over training."""
    text = "Inference by bigrams comes suddenly in training, with attention to successors of the same token."
    drops = pd.concat([e.rows(INSIDE, "drops", role=role) for role in (MIDDLE, MANY)])
    few = e.rows(INSIDE, "drops", role=FEW)
    null = Control(
        "drops found of the network of fewest chains", Number.exact(few["found"].sum()) if len(few) else MISSING, NONE
    )
    missed = Number.exact((~drops["found"].astype(bool)).sum(), len(drops)) if len(drops) else MISSING
    apart = [number_of(row, "apart") for _, row in drops.iterrows()]
    furthest = max(apart, key=lambda number: abs(number.value)) if apart else MISSING
    findings = (
        Finding(
            "networks of middling and most chains in whose KL(truth ‖ model) on unseen chains no drop is found, over "
            "the logarithm of the step",
            missed,
            NONE,
            INSIDE,
            null,
        ),
        Finding(
            "log2 of the drop's end over the step of half of the successor attention, furthest from 0 of any of them",
            MISSING if any(number.value != number.value for number in apart) else furthest,
            Rule(-1.0, 1.0),
            INSIDE,
        ),
    )
    reported = f"loss on unseen chains 2.31 from step 100 to 400, 2.10 near 1,000, 64 chains; {PUBLISHED}"
    return Claim("sudden in training", text, f"{PAPER}; the detector is this package's", findings, reported)


def turn_in_context(e: Evidence) -> Claim:
    """The turn within a sequence."""
    text = "Networks of many chains retrieve after a few tokens, and infer after more."
    contexts = e.rows(SEEN, "choices", role=FEW)
    contexts = contexts[~contexts["context"].astype(str).isin(["1", "2", LATE])] if len(contexts) else contexts
    null = Control(
        "largest of it of the network of fewest chains, in any context of 3 tokens and more",
        extreme((number_of(row, "difference") for _, row in contexts.iterrows()), largest=True),
        Rule(high=0.0),
    )
    few, long = f"{EARLY[0]}–{EARLY[1]}", f"≥ {LONG}"
    findings = (
        Finding(
            f"{RETRIEVE}, after {EARLY[0]} to {EARLY[1]} tokens, largest of the networks of most chains",
            _choice(e, MANY, few, True),
            Rule(high=0.0),
            SEEN,
            null,
        ),
        Finding(f"the same after {LONG} and more, least", _choice(e, MANY, long, False), Rule(low=0.0), SEEN, null),
    )
    reported = f"KL on unseen chains rises from 0.55 to 0.64 within the first 40 tokens; {PUBLISHED}"
    return Claim("sudden in context", text, PAPER, findings, reported)


def _networks(e: Evidence) -> list[str]:
    """Of chains whose tokens depend on each other."""
    rows = e.rows(SEEN, "onsets")
    return [] if rows.empty else list(rows[rows["role"] != TOKENS]["network"])


def _onset(e: Evidence, network: str, column: str) -> float:
    return next((float(row[column]) for _, row in e.rows(SEEN, "onsets", network=network).iterrows()), NAN)


def _last(e: Evidence, key: str, table: str, column: str, network: str, **equal: object) -> Number:
    return e.number(key, table, column, network=network, step=_onset(e, network, "last"), **equal)


def _order(e: Evidence, network: str, step: float) -> Number:
    return e.number(INSIDE, "order", "order", network=network, step=step)


def _nearest_at(e: Evidence, network: str, place: int) -> str:
    rows = e.rows(SEEN, "nearest", network=network, context=LATE)
    return str(rows["nearest"].iloc[place]) if len(rows) > 1 else ""


def _share(found: Sequence[str], names: Sequence[str]) -> Number:
    return Number.share(sum(name in names for name in found), len(found)) if all(found) else MISSING


def _choice(e: Evidence, role: str, context: str, largest: bool) -> Number:
    return extreme(e.numbers(SEEN, "choices", "difference", role=role, context=context), largest)


def _ratio(e: Evidence, role: str) -> Number:
    return extreme(e.numbers(SEEN, "lines", "ratio", role=role, oracle=BI_INF, family="OOD"), largest=role == MANY)


def _of_role(e: Evidence, key: str, table: str, column: str, role: str, largest: bool) -> Number:
    return extreme(e.numbers(key, table, column, role=role), largest)
