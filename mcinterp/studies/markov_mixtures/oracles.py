"""Closed forms: what algorithms that know the chains, or none, predict after every token, float64.

Retrieval weighs the training chains by how probable the tokens so far are under each; inference counts. Of either there
is a kind that looks at which tokens came (unigram), and one that looks at which followed which (bigram).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.studies.markov_mixtures.chains import stationary
from mcinterp.task.offers import OracleKind

UNI_RET, BI_RET, UNI_INF, BI_INF = "Uni-Ret", "Bi-Ret", "Uni-Inf", "Bi-Inf"
FOUR = (UNI_RET, BI_RET, UNI_INF, BI_INF)
BIGRAM = (BI_RET, BI_INF)
UNI_LAW, PRIOR_ROW, UNIFORM = "Uni-Ret law", "prior row", "uniform"
NULLS = (PRIOR_ROW, UNIFORM)
KINDS: Mapping[str, OracleKind] = {
    UNI_RET: OracleKind("rows of the training chains, weighed by how probable the tokens are under each one's law"),
    BI_RET: OracleKind("rows of the training chains, weighed by their posterior: the Bayes answer for training chains"),
    UNI_INF: OracleKind("stationary law of the counted steps, one more of each"),
    BI_INF: OracleKind("counted steps from the last token, one more of each: the Bayes answer for unseen chains"),
    UNI_LAW: OracleKind("laws of the training chains, weighed as by Uni-Ret; the authors' code has it too"),
    PRIOR_ROW: OracleKind("row of the last token, mean of the training chains by how frequent each is", null=True),
    UNIFORM: OracleKind("all tokens alike", null=True),
}
CHUNK = 2**23
"""Numbers that are held at a time for each place and chain."""


def predictions(
    tokens: Int[Tensor, "n pos"], rows: Float[Tensor, "chain state next"], weights: Float[Tensor, " chain"]
) -> dict[str, Float[Tensor, "n pos next"]]:
    """What every algorithm predicts after each token.

    Args:
        tokens: of sequences.
        rows: of the training chains.
        weights: how frequent each is.
    """
    size = max(1, CHUNK // (tokens.shape[1] * len(rows) * rows.shape[-1]))
    parts = [_retrieval(part, rows, weights) for part in torch.split(tokens, size)]
    retrieved = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    found = {**retrieved, **_inference(tokens, rows.shape[-1])}
    found[PRIOR_ROW] = torch.einsum("c,csj->sj", weights, rows)[tokens]
    found[UNIFORM] = torch.full_like(found[PRIOR_ROW], 1 / rows.shape[-1])
    return {name: found[name] for name in KINDS}


def _retrieval(tokens: Tensor, rows: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Averages over the training chains by posteriors, (n, pos, next)."""
    law, prior = stationary(rows), weights.log()
    alone = law.T.log()[tokens]
    steps = rows.permute(1, 2, 0).log()[tokens[:, :-1], tokens[:, 1:]]
    by_tokens = (prior + alone.cumsum(1)).softmax(-1)
    by_steps = (prior + torch.cat([alone[:, :1], steps], 1).cumsum(1)).softmax(-1)
    next_rows = rows.transpose(0, 1)[tokens]
    return {
        UNI_RET: torch.einsum("npc,npcj->npj", by_tokens, next_rows),
        BI_RET: torch.einsum("npc,npcj->npj", by_steps, next_rows),
        UNI_LAW: by_tokens @ law,
    }


def _inference(tokens: Tensor, states: int) -> dict[str, Tensor]:
    """What is counted, (n, pos, next)."""
    seen = F.one_hot(tokens, states).double()
    pairs = torch.einsum("nps,npj->npsj", seen[:, :-1], seen[:, 1:]).cumsum(1)
    counted = F.pad(pairs, (0, 0, 0, 0, 1, 0)) + 1
    chains = counted / counted.sum(-1, keepdim=True)
    return {UNI_INF: stationary(chains), BI_INF: torch.einsum("nps,npsj->npj", seen, chains)}
