"""Do exemplars in the prompt steer the way, may their links be new, and which of two conflicting ones is followed?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.skewed_t import Floats
from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate, share_estimate
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.generation import generate
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.stepwise_inference.motifs import Chains, MotifNavigation, chains_of
from mcinterp.studies.stepwise_inference.runs import MOTIFS, SHUFFLED

EXEMPLARS = "exemplars"
PROMPTS, CONFLICTS, SEED = 150, 200, 0
"""Prompts of each kind; pairs of conflicting chains, each asked in both orders."""
NETWORKS = {MOTIFS: "chain order", SHUFFLED: "random order"}
UNTRAINED = "untrained"
OTHERS = "another chain's"
ARRANGEMENTS = {"blocks": (0, 1, 2, 3), "interleaved": (0, 2, 1, 3)}
"""Places of the exemplars A→B, B→D, A→C, C→D."""

STEERING_COLUMNS = {
    "network": "how exemplars stood in training",
    "links": "whether training linked the motifs: seen, or unseen, where it linked none of them",
    "exemplars": f"in the order of the chain; shuffled; or {OTHERS}, which has nothing to do with the question",
    "motifs": "of the chain",
    "longest": "of the longest chain in training",
    "n": "prompts",
    **interval_columns(
        "steered", "share that goes through just the chain's motifs over its ghost edges (exact interval)"
    ),
}
LIMIT_COLUMNS = {
    "network": "how exemplars stood in training",
    "longest": "motifs of the longest chain in training",
    "n": "prompts of either length",
    **interval_columns("value", "share that follows chains of seen links of that length, less that of one motif more"),
    **interval_columns(
        "moved", "share that follows chains of that length whose answers stand at positions beyond those in training"
    ),
}
CONFLICT_COLUMNS = {
    "network": "how exemplars stood in training; or untrained",
    "arrangement": "blocks: first all of one chain, then of the other; interleaved: both first links, then both others",
    "n": "pairs of chains from A to D, each in both orders",
    **interval_columns("first", "share that leaves A over the ghost edge of the chain whose exemplars come first"),
    **interval_columns("second", "share that leaves it over the other's"),
    **interval_columns("neither", "share that leaves it over none"),
    **interval_columns("primacy", "first less second"),
    **interval_columns("first_through", "share that goes through the first chain to the goal, with END there or not"),
    **interval_columns("second_through", "share that goes through the other"),
    **interval_columns("through", "first_through less second_through"),
}


def exemplars(runs: Mapping[str, Run]) -> Result:
    """Steering and conflicts of all networks that are trained on chains of motifs."""
    steering = [row for name in NETWORKS for row in _steering(name, runs[name].checkpoint())]
    conflicts = [row for name in NETWORKS for row in _conflicts(NETWORKS[name], runs[name].checkpoint())]
    conflicts += _conflicts(UNTRAINED, runs[MOTIFS].checkpoint("first"))
    tables = {
        "steering": Table.of(STEERING_COLUMNS, steering),
        "limits": Table.of(LIMIT_COLUMNS, [_limit(name, runs[name].checkpoint(), steering) for name in NETWORKS]),
        "conflicts": Table.of(CONFLICT_COLUMNS, conflicts),
    }
    task = runs[MOTIFS].checkpoint().task
    facts = {"longest": task.config.longest, "most": task.config.positions_for}
    return Result(EXEMPLARS, "Exemplars in the prompt", {"seed": SEED}, facts, tables)


def asked(
    model: CausalTransformer, task: MotifNavigation, prompts: Int[Tensor, "n token"], new: int
) -> Int[Tensor, "n new"]:
    """So many tokens after each prompt, the most probable ones, up to END; then PAD."""
    written = generate(model, list(prompts), new, end_token=task.end)
    return pad_sequence([each.cpu() for each in written], True, task.pad)


def _steering(name: str, checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """A row for each length of chain, kind of links, and way to show exemplars."""
    task: MotifNavigation = checkpoint.task
    for links, of in {"seen": task.seen, "unseen": task.unseen}.items():
        for motifs in range(2, task.config.positions_for + 1):
            known = chains_of(motifs, of)
            if not len(known):
                continue
            generator = torch.Generator().manual_seed(SEED)
            chains, others = (
                task.chains(known[torch.randint(len(known), (PROMPTS,), generator=generator)], generator)
                for _ in range(2)
            )
            about = {"network": NETWORKS[name], "links": links, "motifs": motifs, "longest": task.config.longest}
            for shown, prompts in _prompts(task, chains, others, generator).items():
                written = asked(checkpoint.model, task, prompts, chains.ways[0].numel())
                share = share_estimate(int(task.follows(written, chains).sum()), PROMPTS).columns("steered")
                yield {**about, "exemplars": shown, "n": PROMPTS, **share}


def _limit(name: str, checkpoint: Checkpoint, steering: list[dict[str, Any]]) -> dict[str, Any]:
    """What one more motif than training had takes away, and what other positions alone do."""
    network, longest = NETWORKS[name], checkpoint.task.config.longest
    rows = {
        row["motifs"]: row
        for row in steering
        if (row["network"], row["links"], row["exemplars"]) == (network, "seen", "chain")
    }
    found = Judged.beside(rows[longest], "steered", rows[longest + 1], "steered")
    ends = {"value": found.value, "value_low": found.low, "value_high": found.high}
    moved = share_estimate(_moved(checkpoint), PROMPTS).columns("moved")
    return {"network": network, "longest": longest, "n": PROMPTS, **ends, **moved}


def _moved(checkpoint: Checkpoint) -> int:
    """Chains of the longest length that are followed behind as many PAD as there is room for."""
    task: MotifNavigation = checkpoint.task
    generator, known = torch.Generator().manual_seed(SEED), chains_of(task.config.longest, task.seen)
    chains = task.chains(known[torch.randint(len(known), (PROMPTS,), generator=generator)], generator)
    room = task.n_positions + 1 - task.config.length(task.config.longest)
    prompts = torch.cat([torch.full((PROMPTS, room), task.pad), task.prompt(chains, generator, "chain")], 1)
    written = asked(checkpoint.model, task, prompts, chains.ways[0].numel())
    return int(task.follows(written, chains).sum())


def _prompts(
    task: MotifNavigation, chains: Chains, others: Chains, generator: torch.Generator
) -> dict[str, Int[Tensor, "n token"]]:
    """The same question after its own exemplars in order, after these shuffled, and after another chain's."""
    chain, shuffled = (task.prompt(chains, generator, order) for order in ("chain", "shuffled"))
    wrong = task.prompt(others, generator, "chain")
    wrong[:, -chains.question.shape[1] :] = chains.question
    return {"chain": chain, "shuffled": shuffled, OTHERS: wrong}


@dataclass(frozen=True)
class Conflict:
    """Two chains of three motifs from the same start to the same goal, leaving the first motif by the same sink.

    Attributes:
        chains: both.
        links: exemplars of the links of each, (pair, link, token).
    """

    chains: tuple[Chains, Chains]
    links: tuple[Int[Tensor, "pair 2 token"], Int[Tensor, "pair 2 token"]]

    @classmethod
    def drawn(cls, task: MotifNavigation, n: int, generator: torch.Generator) -> Conflict:
        """Of motifs whose links training has seen."""
        known = chains_of(3, task.seen)
        same_ends = (known[:, None, [0, 2]] == known[None, :, [0, 2]]).all(-1).triu(1).nonzero()
        pair = same_ends[torch.randint(len(same_ends), (n,), generator=generator)]
        motifs = known[pair.T]
        begin, end = (task.through(motifs[0, :, place], generator) for place in (0, 2))
        ends = (end, task.through(motifs[0, :, 2], generator, last=end[:, -1]))
        chains = [
            Chains(each, torch.stack([begin, task.through(each[:, 1], generator), last], 1))
            for each, last in zip(motifs, ends, strict=True)
        ]
        first, second = (task.links(each, generator) for each in chains)
        return cls((chains[0], chains[1]), (first, second))

    def prompts(self, task: MotifNavigation, arrangement: str, second_first: bool) -> Int[Tensor, "pair token"]:
        """All exemplars, then the question; those of the second chain before those of the first, or after."""
        links = torch.cat(self.links[::-1] if second_first else self.links, 1)
        return task.asking(links[:, ARRANGEMENTS[arrangement]], self.chains[0])


def _conflicts(network: str, checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """A row for each arrangement of the exemplars."""
    task: MotifNavigation = checkpoint.task
    conflict = Conflict.drawn(task, CONFLICTS, torch.Generator().manual_seed(SEED))
    for arrangement in ARRANGEMENTS:
        taken, through = torch.zeros(2, CONFLICTS).double(), torch.zeros(2, CONFLICTS).double()
        for second_first in (False, True):
            prompts = conflict.prompts(task, arrangement, second_first)
            written = asked(checkpoint.model, task, prompts, conflict.chains[0].ways[0].numel())
            # The one whose exemplars came first is the first.
            chains = conflict.chains[::-1] if second_first else conflict.chains
            taken += torch.stack([task.leaves(written, each) for each in chains]) / 2
            through += torch.stack([task.follows(written, each, ends=False) for each in chains]) / 2
        row: dict[str, Any] = {"network": network, "arrangement": arrangement, "n": CONFLICTS}
        yield row | _shares(taken.numpy(), through.numpy())


def _shares(taken: Floats, through: Floats) -> dict[str, float]:
    """Of the first and the second chain, (chain, pair): whose link is taken, and which is gone through."""
    shares = {
        "first": taken[0],
        "second": taken[1],
        "neither": 1 - taken.sum(0),
        "first_through": through[0],
        "second_through": through[1],
    }
    differences = {"primacy": taken[0] - taken[1], "through": through[0] - through[1]}
    found = {name: _mean(of, 0.0) for name, of in shares.items()}
    found |= {name: _mean(of, -1.0) for name, of in differences.items()}
    return {name: value for each, estimate in found.items() for name, value in estimate.columns(each).items()}


def _mean(values: Floats, least: float) -> Estimate:
    """The mean of values between `least` and 1, with an interval that is no point where all of them are alike.

    As many others may then have been missed as where a share is 1 in all of the samples (exact binomial), and these may
    be anything.
    """
    if np.ptp(values):
        return mean_estimate(values)
    missed = 1 - float(share_estimate(len(values), len(values)).low)
    value = float(values[0])
    ends = value - missed * (value - least), value + missed * (1 - value)
    return Estimate(*(np.asarray(part) for part in (value, *ends, np.nan)))
